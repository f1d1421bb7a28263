"""Several processes that play one game: whole-batch means and averaged gradients (gloo, NCCL)."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from elegan.game import Ranks


@dataclass(frozen=True)
class ProcessGroup(Ranks):
    """The default process group of torch.distributed."""

    def mean(self, rows: Tensor) -> Tensor:
        count = torch.tensor(float(len(rows)), dtype=rows.dtype, device=rows.device)
        dist.all_reduce(count)
        return all_reduce(rows.sum(dim=0)) / count

    def gather(self, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(parts, rows.detach().contiguous())
        return torch.cat(parts)


def here() -> Ranks:
    """This process's place among the ranks; alone when torch.distributed isn't initialised."""
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return ProcessGroup(dist.get_rank(), dist.get_world_size())
    return Ranks()


def term_mean(values: Tensor, ranks: Ranks) -> Tensor:
    """This rank's part of a term's mean over all ranks, scaled so that averaged gradients are the whole batch's.

    A term may have other lengths on other ranks: labelled rows, say.
    """
    if ranks.size == 1:
        return values.mean() if values.numel() else values.sum()
    count = torch.tensor(float(values.numel()), device=values.device)
    dist.all_reduce(count)
    return values.sum() * (ranks.size / count.clamp(min=1))


def average_gradients(parameters: Iterable[nn.Parameter], ranks: Ranks) -> None:
    """Replace every gradient by its mean over the ranks, in one flat all-reduce a dtype."""
    if ranks.size == 1:
        return
    by_dtype: dict[torch.dtype, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            by_dtype.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for gradients in by_dtype.values():
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= ranks.size
        offset = 0
        for gradient in gradients:
            gradient.copy_(flat[offset : offset + gradient.numel()].view(gradient.shape))
            offset += gradient.numel()
