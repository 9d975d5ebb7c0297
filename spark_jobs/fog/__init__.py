"""A fog node: it keeps its sensors' readings and answers plans from them."""
