"""The catalog of optimizers: one file per family, one function per optimizer."""
