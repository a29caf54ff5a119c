"""Extras for other packages, each to be imported by those who have that package. The core imports none of them."""
