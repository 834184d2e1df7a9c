"""What became of each record of the input topics: a row, a counted repeat or a dead letter."""
