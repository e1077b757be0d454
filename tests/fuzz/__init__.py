"""Mutated inputs for everything that vosctl reads: each must end as a result or as vosctl's own error, in one line.

    python -m tests.fuzz --inputs 20000 --seed 1

Each input is made from the seed, its kind and its number, so that one can be run again alone: `--only pth:123`.
"""
