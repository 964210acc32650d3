"""The dataset of the default arguments, made when the package is built, so that no start has to generate it."""
