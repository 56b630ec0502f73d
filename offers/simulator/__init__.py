"""A made-up town with hidden truth, to measure policies against an oracle. Nothing outside may import it but
benchmarks, tests and the `simulate` command: a policy that saw the truth would be worth nothing."""
