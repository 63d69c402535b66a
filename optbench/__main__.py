"""`python -m optbench` is `optbench`."""

from optbench.cli import main

if __name__ == "__main__":
    main()
