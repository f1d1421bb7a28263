"""The adversarial objectives.  ``real`` and ``fake`` are discriminator logits [n], or one a patch; so are the values.

Written with logits: σ(D) is the probability of being real, −log σ(t) = softplus(−t).
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

Logits = Float[Tensor, " n *patches"]


def log_likelihood_real(real: Logits) -> Logits:
    """−log σ(D(x)): the discriminator's loss on real items (Goodfellow et al., 2014, arXiv:1406.2661, eq. 1)."""
    return softplus(-real)


def log_likelihood_fake(fake: Logits) -> Logits:
    """−log(1 − σ(D(G(z)))): the discriminator's loss on generated items (ibid.)."""
    return softplus(fake)


def minimax_generator(fake: Logits) -> Logits:
    """log(1 − σ(D(G(z)))): what the generator descends in the minimax game (ibid., eq. 1); it saturates."""
    return -softplus(fake)


def nonsaturating_generator(fake: Logits) -> Logits:
    """−log σ(D(G(z))): the same fixed point, strong gradients early (ibid., section 3)."""
    return softplus(-fake)


def least_squares_real(real: Logits) -> Logits:
    """½(D(x) − 1)² (Mao et al., 2017, arXiv:1611.04076, eq. 9)."""
    return 0.5 * (real - 1).square()


def least_squares_fake(fake: Logits) -> Logits:
    """½ D(G(z))² (ibid.)."""
    return 0.5 * fake.square()


def least_squares_generator(fake: Logits) -> Logits:
    """½(D(G(z)) − 1)² (ibid.)."""
    return 0.5 * (fake - 1).square()


def hinge_real(real: Logits) -> Logits:
    """max(0, 1 − D(x)) (Lim & Ye, 2017, arXiv:1705.02894; Miyato et al., 2018, arXiv:1802.05957, eq. 16)."""
    return relu(1 - real)


def hinge_fake(fake: Logits) -> Logits:
    """max(0, 1 + D(G(z))) (ibid.)."""
    return relu(1 + fake)


def critic_real(real: Logits) -> Logits:
    """−D(x): the critic's side of the Wasserstein distance (Arjovsky et al., 2017, arXiv:1701.07875, eq. 3)."""
    return -real


def critic_fake(fake: Logits) -> Logits:
    """D(G(z)) (ibid.)."""
    return +fake


def critic_generator(fake: Logits) -> Logits:
    """−D(G(z)): the generator's side of the Wasserstein and of the hinge loss (ibid.)."""
    return -fake


def relativistic_discriminator(real: Logits, fake: Logits) -> Logits:
    """softplus(−(D(x) − D(G(z)))): pairs of logits (Jolicoeur-Martineau, 2019, arXiv:1807.00734; R3GAN, eq. 2)."""
    return softplus(fake - real)


def relativistic_generator(real: Logits, fake: Logits) -> Logits:
    """softplus(−(D(G(z)) − D(x))): the mirror image (Huang et al., 2024, arXiv:2501.05441, eq. 2)."""
    return softplus(real - fake)


class Objective(NamedTuple):
    """An objective that judges real and generated items apart."""

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


OBJECTIVES = {
    "minimax": Objective(log_likelihood_real, log_likelihood_fake, minimax_generator),
    "non-saturating": Objective(log_likelihood_real, log_likelihood_fake, nonsaturating_generator),
    "least-squares": Objective(least_squares_real, least_squares_fake, least_squares_generator),
    "hinge": Objective(hinge_real, hinge_fake, critic_generator),
    "wasserstein": Objective(critic_real, critic_fake, critic_generator),
}
