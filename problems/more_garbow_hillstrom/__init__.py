"""The problems of More, Garbow & Hillstrom (1981), save Rosenbrock's and Beale's: see classical."""
