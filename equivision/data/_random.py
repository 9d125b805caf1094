"""Random numbers that are a function of (keys, index) and of nothing else.

A data set derived with a seed must be the same on every machine, with every version of torch and numpy, in any order
and by any number of workers. Generators with a state do not promise that, so the numbers are counted: splitmix64
(Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014), whose n-th output needs no earlier one.
"""

import zlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _state(keys: tuple[int | str, ...]) -> np.ndarray:
    state = np.zeros(1, dtype=np.uint64)
    for key in keys:
        number = zlib.crc32(key.encode()) if isinstance(key, str) else key % 2**64
        state = _mix(state + np.uint64(number)) + _GOLDEN
    return state


def random_bits(index: np.ndarray, *keys: int | str) -> np.ndarray:
    """64 random bits for every index, independent between different keys."""
    return _mix(_state(keys) + (index.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def random_uniform(index: np.ndarray, *keys: int | str) -> np.ndarray:
    """A number in [0, 1) with 53 random bits for every index."""
    return (random_bits(index, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def random_normal(shape: tuple[int, ...], name: str, *keys: int | str) -> np.ndarray:
    """Normal numbers with mean 0 and variance 1 (Box and Muller), independent between different names and keys."""
    index = np.arange(np.prod(shape))
    radius, angle = (random_uniform(index, name, part, *keys) for part in ("radius", "angle"))
    return (np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)).reshape(shape)


def permutation(size: int, *keys: int | str) -> np.ndarray:
    """A random order of ``range(size)``.

    >>> permutation(5, "example", 0).tolist() == permutation(5, "example", 0).tolist()
    True
    """
    return np.argsort(random_bits(np.arange(size), *keys), kind="stable")
