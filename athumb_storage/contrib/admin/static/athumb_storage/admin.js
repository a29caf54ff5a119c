/* Lets the focal point be chosen in the preview of a file. The point stays in its own input, as text. */
"use strict";
{
    const MIDDLE = [0.5, 0.5];
    const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const STEP = 0.01;
    const LARGE_STEP = 0.1;
    const CROP_SIDE = 120; // the longest side of the preview of a crop, in pixels

    const clamped = (value, most) => Math.min(Math.max(value, 0), most);

    /* The point that a text such as "0.30,0.20" stands for; null if it is none. */
    const parsed = (text) => {
        if (!text.trim()) return MIDDLE;
        const point = text.split(",").map((part) => (part.trim() ? Number(part) : NaN));
        return point.length === 2 && point.every((value) => value >= 0 && value <= 1) ? point : null;
    };

    /* The scaled original, and the window of it that a crop shows: the arithmetic of `geometry.place`. */
    const placed = (original, crop, point) => {
        const covering = Math.max(...crop.size.map((side, axis) => side / original[axis]));
        const scale = crop.upscale ? covering : Math.min(covering, 1);
        const scaled = original.map((side) => Math.max(1, Math.round(side * scale)));
        const size = crop.size.map((side, axis) => Math.min(side, scaled[axis]));
        const start = size.map((side, axis) =>
            clamped(Math.floor(point[axis] * scaled[axis] - side / 2 + 0.5), scaled[axis] - side));
        return { scaled, size, start };
    };

    const setPixels = (element, pixels) => {
        for (const [property, value] of Object.entries(pixels)) element.style[property] = `${value}px`;
    };

    /* The preview of a crop; a function that moves it to a point. */
    const addCrop = (list, picture, crop) => {
        const figure = document.createElement("figure");
        const frame = document.createElement("span");
        const image = picture.cloneNode();
        const caption = document.createElement("figcaption");
        image.alt = "";
        image.removeAttribute("width");
        image.removeAttribute("height");
        caption.textContent = crop.name;
        frame.append(image);
        figure.append(frame, caption);
        list.append(figure);
        return (original, point) => {
            const { scaled, size, start } = placed(original, crop, point);
            const shrunk = Math.min(1, CROP_SIDE / Math.max(...size));
            const [scaledHere, sizeHere, startHere] = [scaled, size, start].map((pair) => pair.map((n) => n * shrunk));
            setPixels(frame, { width: sizeHere[0], height: sizeHere[1] });
            setPixels(image, { width: scaledHere[0], height: scaledHere[1], left: -startHere[0], top: -startHere[1] });
        };
    };

    const connect = (picker) => {
        const options = JSON.parse(picker.dataset.picker);
        const input = picker.closest("form")?.elements.namedItem(options.input);
        if (!(input instanceof HTMLInputElement)) return; // it is not in this form

        const picture = picker.parentElement.querySelector("img");
        const button = picker.querySelector("button");
        const marker = picker.querySelector(".athumb-marker");
        const told = picker.querySelector("[aria-live]");
        const percent = new Intl.NumberFormat(document.documentElement.lang || undefined, { style: "percent" });
        // Without the original's size nobody knows whether it is smaller than a crop.
        const crops = options.crops.map((crop) => ({ ...crop, upscale: crop.upscale || !options.original }));
        const moves = crops.map((crop) => addCrop(picker.querySelector(".athumb-crops"), picture, crop));
        let point = MIDDLE;

        const show = () => {
            point = parsed(input.value) || point;
            marker.style.left = `${point[0] * 100}%`;
            marker.style.top = `${point[1] * 100}%`;
            const [x, y] = point.map((value) => percent.format(value));
            told.textContent = options.told.replace("{x}", x).replace("{y}", y);
            const original = options.original || [picture.naturalWidth, picture.naturalHeight];
            if (original[0]) moves.forEach((move) => move(original, point));
        };
        const choose = (chosen) => {
            input.value = chosen.map((value) => clamped(value, 1).toFixed(2)).join(",");
            input.dispatchEvent(new Event("change", { bubbles: true }));
        };

        input.addEventListener("input", show);
        input.addEventListener("change", show);
        picture.addEventListener("load", show);
        button.addEventListener("click", (event) => {
            if (!event.detail) return; // a key was pressed, which points at nothing
            const box = picture.getBoundingClientRect();
            choose([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
        });
        button.addEventListener("keydown", (event) => {
            const direction = DIRECTIONS[event.key];
            if (event.altKey || event.ctrlKey || event.metaKey || !(direction || event.key === "Home")) return;
            event.preventDefault(); // the page is not to scroll
            const step = event.shiftKey ? LARGE_STEP : STEP;
            choose(direction ? point.map((value, axis) => value + direction[axis] * step) : MIDDLE);
        });

        button.prepend(picture);
        picker.hidden = false;
        show();
    };

    document.querySelectorAll(".athumb-picker").forEach(connect);
}
