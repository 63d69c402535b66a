"""Classical test functions: valleys, bowls, basins, ripples and mazes."""
