"""What a set of fences is made of: numbers, columns, grids, circles and areas. See `geo.index`."""
