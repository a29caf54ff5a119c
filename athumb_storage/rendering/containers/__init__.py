"""How the files of each format are put together, as far as limits and metadata go: no pixels, and no Pillow."""
