"""The catalog of problems: one file per family, one function per problem."""
