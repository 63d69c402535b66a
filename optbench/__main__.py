"""`python -m optbench` is `optbench`."""

from optbench.cli import main

main()
