"""One training step of a VAE in PyTorch.   torch_step.py MODEL BATCH THREADS SECONDS MODE     prints "median X ms"
MODEL: mlp, conv or pvae, the networks of benchmarks/step. MODE: eager or compile, for images also with -nhwc (channels last)."""
import resource
import sys
import time

start = time.perf_counter()
import torch
import torch.nn.functional as F
from torch import nn

name, batch, threads, seconds, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
torch.set_num_threads(threads)
torch.manual_seed(0)


def mlp():
    return nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40)), nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))


def conv():
    encoder = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(), nn.Flatten(),
                            nn.Linear(3136, 256), nn.ReLU(), nn.Linear(256, 32))
    decoder = nn.Sequential(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 3136), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
                            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1))
    return encoder, decoder


def pvae():
    widths = [3, 32, 64, 128, 256, 512]
    down = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU())]
    ups = [512, 256, 128, 64, 32, 32]
    up = [layer for a, b in zip(ups, ups[1:])
          for layer in (nn.ConvTranspose2d(a, b, 3, 2, 1, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU())]
    return (nn.Sequential(*down, nn.Flatten(), nn.Linear(2048, 256)),
            nn.Sequential(nn.Linear(128, 2048), nn.LeakyReLU(), nn.Unflatten(1, (512, 2, 2)), *up, nn.Conv2d(32, 3, 3, padding=1), nn.Tanh()))


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = {"mlp": mlp, "conv": conv, "pvae": pvae}[name]()

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        y = self.decoder(mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance))
        distortion = 0.5 * F.mse_loss(y, x, reduction="sum") if name == "pvae" else F.binary_cross_entropy_with_logits(y, x, reduction="sum")
        rate = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (distortion + rate) / x.shape[0]


model, x = Vae(), torch.rand(batch, *{"mlp": (784,), "conv": (1, 28, 28), "pvae": (3, 64, 64)}[name])
if mode.endswith("-nhwc"):
    model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
loss_of = torch.compile(model) if mode.startswith("compile") else model
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)


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
print(f"PyTorch {torch.__version__} {name} {mode} B={batch} threads={threads}: median {times[len(times) // 2] * 1e3:.3f} ms loss {loss.item():.1f}")
print(f"first step done after {first * 1e3:.1f} ms, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MB")
