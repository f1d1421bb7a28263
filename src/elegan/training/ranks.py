"""Several processes that play one game: whole-batch means, summed gradients, common decisions (gloo, NCCL).

A move costs two collectives beside those of its game: a few whole numbers on the processor before the gradients are
computed (how long every term is, who wants to stop), and one flat sum of all gradients after it, with the logged means
beside them.  No device waits for the processor meanwhile.
"""

import os
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function

from elegan.game import Ranks
from elegan.training.cores import cores

T = TypeVar("T")
PATIENCE = timedelta(hours=12)
"""How long ranks wait for rank 0, which alone looks, judges and writes; one that dies is noticed at once."""


@dataclass(frozen=True)
class ProcessGroup(Ranks):
    """The default process group of torch.distributed."""

    def mean(self, rows: Tensor) -> Tensor:
        wide = rows if rows.dtype == torch.float64 else rows.float()
        total = wide.sum(dim=0)
        packed = torch.cat([total.flatten(), total.new_full((1,), len(rows))])
        summed: Tensor = _Sum.apply(packed)  # type: ignore[no-untyped-call]
        return (summed[:-1] / summed[-1].detach()).view_as(total)

    def gather(self, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(self.size)]
        dist.all_gather(parts, rows.detach().contiguous())
        return torch.cat(parts)


class _Sum(Function):
    """The sum over the ranks; its gradient is the sum of the ranks' gradients, and so on."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _summed(values.contiguous())

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        summed: Tensor = _Sum.apply(slope)  # type: ignore[no-untyped-call]
        return summed


def _summed(few: Tensor) -> Tensor:
    """A few numbers summed over the ranks; on a processor gathered, since gloo's own sum takes several rounds."""
    if few.is_cuda:
        few = few.clone()
        dist.all_reduce(few)
        return few
    parts = [torch.empty_like(few) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, few)
    return torch.stack(parts).sum(dim=0)


def here() -> Ranks:
    """This process's place among the ranks; alone when torch.distributed isn't initialised."""
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return ProcessGroup(dist.get_rank(), dist.get_world_size())
    return Ranks()


def is_launched() -> bool:
    """Whether torchrun's launcher started this process as one of several."""
    return dist.is_available() and dist.is_torchelastic_launched() and int(os.environ["WORLD_SIZE"]) > 1


@contextmanager
def joined() -> Iterator[Ranks]:
    """This process among those that torchrun's launcher started with it, each with its share of the machine.

    Whole numbers and decisions go through gloo; tensors of a CUDA device, one a process, through NCCL.  Without the
    launcher, or where torch.distributed was initialised before, nothing changes.
    """
    if not is_launched() or dist.is_initialized():
        yield here()
        return
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, cores() // int(os.environ["LOCAL_WORLD_SIZE"])))
    devices = torch.cuda.device_count()
    if devices:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % devices)
    dist.init_process_group("cpu:gloo,cuda:nccl" if devices else "gloo", timeout=PATIENCE)
    try:
        yield here()
        by_all(lambda: None, here())  # nobody hangs up on one who still listens
    except RuntimeError:  # perhaps a rank is lost, and a goodbye would wait for it
        raise
    except BaseException:
        _leave()
        raise
    _leave()


def _leave() -> None:
    """Leave the process group, and let gloo's threads drop their last tensors, for which they need the interpreter:
    one that waits for it while Python ends aborts the process."""
    dist.destroy_process_group()
    time.sleep(0.2)


def whole_counts(counts: Sequence[int], ranks: Ranks) -> list[int]:
    """Each count summed over the ranks, on the processor."""
    if ranks.size == 1:
        return list(counts)
    return [int(count) for count in _summed(torch.tensor(counts, dtype=torch.int64))]


def sum_gradients(parameters: Iterable[nn.Parameter], beside: Tensor, ranks: Ranks) -> Tensor:
    """Replace every gradient by its sum over the ranks, in one flat all-reduce a dtype; returns ``beside`` summed too.

    A parameter that has a gradient on some ranks gets their sum on all; one that has none anywhere keeps none, so that
    its optimiser leaves it alone as it would on one rank.
    """
    if ranks.size == 1:
        return beside
    parameters = list(parameters)
    missing = [index for index, parameter in enumerate(parameters) if parameter.grad is None]
    present = beside.new_ones(len(parameters))
    for index in missing:
        present[index], parameters[index].grad = 0, torch.zeros_like(parameters[index])
    gradients = [_in_its_order(parameter) for parameter in parameters]
    beside, present, *gradients = _sum_flat([beside, present, *gradients])
    somewhere = present.tolist() if missing else []  # only then must the processor know, and wait for the device
    for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
        inverse = sorted(range(parameter.dim()), key=_order(parameter).__getitem__)
        parameter.grad = gradient.permute(inverse) if index not in missing or somewhere[index] else None
    return beside


def _in_its_order(parameter: nn.Parameter) -> Tensor:
    """The gradient with its dimensions as the parameter's lie in memory: then all is laid flat without a detour."""
    assert parameter.grad is not None
    return parameter.grad.permute(_order(parameter))


def _order(parameter: Tensor) -> list[int]:
    return sorted(range(parameter.dim()), key=parameter.stride().__getitem__, reverse=True)


def _sum_flat(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Each tensor summed over the ranks, as a part of one flat tensor a dtype."""
    summed = list(tensors)
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        places = [place for place, tensor in enumerate(tensors) if tensor.dtype == dtype]
        flat = torch.cat([tensors[place].flatten() for place in places])
        dist.all_reduce(flat)
        for place, part in zip(places, flat.split([tensors[place].numel() for place in places]), strict=True):
            summed[place] = part.view(tensors[place].shape)
    return summed


def by_first(action: Callable[[], T], ranks: Ranks) -> T:
    """What rank 0 gets from ``action``, on every rank while the others wait; what it raises is raised on all."""
    if ranks.size == 1:
        return action()
    box = [_attempt(action) if ranks.rank == 0 else None]
    dist.broadcast_object_list(box, device=torch.device("cpu"))
    assert box[0] is not None
    return _result(box[0])


def by_all(action: Callable[[], T], ranks: Ranks) -> list[T]:
    """What every rank gets from its own ``action``, in order; what one of them raises is raised on all."""
    if ranks.size == 1:
        return [action()]
    boxes: list[Any] = [None] * ranks.size
    mine = _attempt(action)
    dist.all_gather_object(boxes, mine)
    _result(mine)  # a rank's own error comes with its traceback
    return [_result(box) for box in boxes]


def _attempt(action: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return action(), None
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # an exception that can't travel
            return None, RuntimeError(f"{type(error).__name__}: {error}")
        return None, error


def _result(outcome: tuple[Any, Exception | None]) -> Any:
    value, error = outcome
    if error is not None:
        raise error
    return value
