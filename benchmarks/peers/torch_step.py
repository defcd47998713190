"""One training step of the 784-400-20 VAE in PyTorch.   torch_step.py BATCH THREADS SECONDS eager|compile     prints "median X ms" """
import resource
import sys
import time

start = time.perf_counter()
import torch
import torch.nn.functional as F
from torch import nn

batch, threads, seconds, mode = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
torch.set_num_threads(threads)
torch.manual_seed(0)


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Linear(784, 400), nn.Linear(400, 40)
        self.decoder, self.output = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, x):
        mean, log_variance = self.head(F.relu(self.encoder(x))).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        logits = self.output(F.relu(self.decoder(z)))
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        rate = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (distortion + rate) / x.shape[0]


model = Vae()
loss_of = torch.compile(model) if mode == "compile" else model
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
x = torch.rand(batch, 784)


def step():
    optimizer.zero_grad()
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    return loss


step()
first = time.perf_counter() - start
for _ in range(9):
    step()
times, begin = [], time.perf_counter()
while time.perf_counter() - begin < seconds:
    t = time.perf_counter()
    loss = step()
    times.append(time.perf_counter() - t)
times.sort()
print(f"PyTorch {torch.__version__} {mode} B={batch} threads={threads}: median {times[len(times) // 2] * 1e3:.3f} ms loss {loss.item():.1f}")
print(f"first step done after {first * 1e3:.1f} ms, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MB")
