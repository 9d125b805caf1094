"""Groups as values: subgroups, cosets, restriction, homomorphisms, and the Fourier transform on D4."""

import numpy as np
import torch

import equivision as ev

C2, C4, D4 = ev.groups.cyclic(2), ev.groups.cyclic(4), ev.groups.dihedral(4)


def names(elements: tuple[int, ...]) -> str:
    return "{" + ", ".join(D4.element_name(g) for g in elements) + "}"


# Subgroups. A subgroup is normal if its left and right cosets are the same sets.
print(f"D4 has {len(D4.subgroups())} subgroups:")
for H in D4.subgroups():
    print(f"  {names(H.elements):<44}{'normal' if H.is_normal else ''}")

# Cosets: pooling over {e, m} forgets on which side of the mirror a feature was found, and keeps its four orientations.
H = D4.subgroup([4])
print("left cosets of {e, m}: ", *map(names, H.left_cosets()))
print("right cosets of {e, m}:", *map(names, H.right_cosets()))
features = ev.testing.random_input(3, (5, 5), D4)
pooled = ev.functional.coset_pool(features, H)
moved = ev.functional.coset_pool(ev.functional.act(features, 5, D4), H)
quotient = ev.reps.quotient(H)
assert torch.equal(moved, ev.functional.act(pooled, 5, D4, quotient))
print(f"coset pooling moves by {quotient!r}")

# Restriction: 3 fields on D4 are 6 fields on C4. Nothing is lost, only the reflections are no longer promised.
fewer = ev.functional.restrict(features, D4, C4)
turned = ev.functional.restrict(ev.functional.act(features, 1, D4), D4, C4)
assert fewer.shape == (2, 6, 4, 5, 5)
assert torch.equal(turned, ev.functional.act(fewer, 1, C4))

# Homomorphisms: all maps from C4 to C2 that respect products, and the sign of D4, which sends reflections to -1.
for f in ev.groups.homomorphisms(C4, C2):
    print(f"C4 -> C2: {f.images}, kernel {f.kernel().elements}")
print("sign of D4:", ev.reps.sign(D4).character.astype(int).tolist())

# Fourier transform: one coefficient for each irrep; convolution on the group becomes a product of matrices.
rng = np.random.default_rng(0)
a, b = rng.standard_normal((2, D4.order))
convolved = np.array([sum(a[k] * b[D4.product(D4.inverse(k), g)] for k in range(8)) for g in range(8)])
transforms = [ev.reps.fourier_transform(f, D4) for f in (a, b, convolved)]
for rho, A, B, C in zip(ev.reps.irreps(D4), *transforms, strict=True):
    assert np.allclose(A @ B, C)
    print(f"{rho.name}: size {rho.size}, in the regular representation {rho.multiplicity} time(s)")
assert np.allclose(ev.reps.inverse_fourier_transform(transforms[0], D4), a)
