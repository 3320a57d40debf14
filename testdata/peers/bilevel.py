#!/usr/bin/env python3
"""Time the lower problem argmin ½|x-y|² + β|Wx|₁ and the gradient of ½|x-truth|² in W, on the problems of BenchmarkGradient and
BenchmarkSolve (package training/bilevel), by peers:

    cvxpylayers   a differentiable layer over cvxpy's cone program, forward and backward, for the batch
    implicit      a torch.autograd.Function: accelerated dual iterations to the same gap, and the optimality conditions differentiated
                  as one linear system a sample, in the multipliers, solved by batched Cholesky factorisations
    osqp          cvxpy's parametrized problem with OSQP, forward alone, a signal at a time, warm start on
    osqp-direct   the dual as OSQP's own, without cvxpy between: its factorization kept, only y renewed

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r testdata/peers/requirements.txt cvxpy==1.9.3 cvxpylayers==1.2.0 osqp==1.1.3
    /tmp/peers/bin/python testdata/peers/bilevel.py --rounds 3
    go test ./training/bilevel -run XXX -bench 'Gradient|Solve' -unrolled-steps 1600 -timeout 0

Times are medians by the clock and by processor time, in milliseconds a batch of 64; error is the largest difference of the gradient, or
of the solution where there is none, from the implicit layer's at a gap of 1e-12, relative to its largest element.
"""
import argparse
import json
import resource
import statistics
import time

import numpy as np
import torch

BATCH = 64


def problem(n):
    """peerProblem of bench_linux_test.go, bit for bit."""
    state = n

    def uniform():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 11) / 2**53

    def normal():
        total = -6.0
        for _ in range(12):
            total += uniform()
        return total

    w = np.array([[0.02 * normal() for _ in range(n)] for _ in range(n)])
    for i in range(n - 1):
        w[i, i] -= 1
        w[i, i + 1] += 1
    y, truth = np.empty(BATCH * n), np.empty(BATCH * n)
    for i in range(BATCH * n):
        jump = uniform()
        truth[i] = uniform() if i % n == 0 or jump < 0.1 else truth[i - 1]
        y[i] = truth[i] + 0.1 * normal()
    return w, y.reshape(BATCH, n), truth.reshape(BATCH, n), 0.15


class Implicit(torch.autograd.Function):
    """x*(W, y), differentiated through its optimality conditions."""

    @staticmethod
    def forward(ctx, w, y, beta, tolerance, most):
        gram, wy = w @ w.T, y @ w.T
        step = 1 / torch.linalg.matrix_norm(gram, 2)
        u = torch.zeros_like(wy)
        v, t = u.clone(), torch.ones(len(y), 1, dtype=y.dtype)
        for i in range(most):
            new = (v + step * (wy - v @ gram)).clamp(-beta, beta)
            restart = ((v - new) * (new - u)).sum(1, keepdim=True) > 0
            t = torch.where(restart, torch.ones_like(t), t)
            after = (1 + torch.sqrt(1 + 4 * t * t)) / 2
            momentum = torch.where(restart, torch.zeros_like(t), (t - 1) / after)
            v, u, t = new + momentum * (new - u), new, after
            if i % 64 == 63:
                z = wy - u @ gram
                if (beta * z.abs() - u * z).sum(1).max() <= tolerance:
                    break
        x = y - u @ w
        z = wy - u @ gram
        zero = u.abs() < beta * (1 - 1e-9)
        ctx.save_for_backward(w, x, u, zero)
        return x

    @staticmethod
    def backward(ctx, g):
        w, x, u, zero = ctx.saved_tensors
        m = zero.to(x.dtype)
        conditions = (w @ w.T) * m[:, :, None] * m[:, None, :] + torch.diag_embed(1 - m)
        v = torch.cholesky_solve((m * (g @ w.T))[:, :, None], torch.linalg.cholesky(conditions))[:, :, 0]
        p = g - v @ w
        return -(u.T @ p + v.T @ x), p, None, None, None


def implicit(w, y, truth, beta, tolerance=1e-10, most=100_000):
    w = torch.tensor(w, requires_grad=True)
    x = Implicit.apply(w, torch.tensor(y), beta, tolerance, most)
    loss = ((x - torch.tensor(truth)) ** 2).sum() / 2
    loss.backward()
    return x.detach().numpy(), w.grad.numpy()


def layer(n):
    import cvxpy as cp
    from cvxpylayers.torch import CvxpyLayer
    x, w, y = cp.Variable(n), cp.Parameter((n, n)), cp.Parameter(n)
    made = CvxpyLayer(cp.Problem(cp.Minimize(cp.sum_squares(x - y) / 2 + 0.15 * cp.norm1(w @ x))), parameters=[w, y], variables=[x])

    def run(w, y, truth, beta):
        w = torch.tensor(w, requires_grad=True)
        x, = made(w, torch.tensor(y))
        loss = ((x - torch.tensor(truth)) ** 2).sum() / 2
        loss.backward()
        return x.detach().numpy(), w.grad.numpy()
    return run


def osqp(n):
    import cvxpy as cp
    x, y = cp.Variable(n), cp.Parameter(n)
    w = problem(n)[0]
    made = cp.Problem(cp.Minimize(cp.sum_squares(x - y) / 2 + 0.15 * cp.norm1(w @ x)))

    def run(w, ys, truth, beta):
        out = []
        for one in ys:
            y.value = one
            made.solve(solver=cp.OSQP, eps_abs=1e-6, eps_rel=1e-6, max_iter=100_000, warm_start=True)
            out.append(x.value)
        return np.array(out), None
    return run


def osqp_direct(n):
    import osqp as solver
    import scipy.sparse as sp

    def run(w, ys, truth, beta):
        k = len(w)
        made = solver.OSQP()
        made.setup(sp.csc_matrix(np.triu(w @ w.T)), np.zeros(k), sp.eye(k, format="csc"), -beta * np.ones(k), beta * np.ones(k),
                   eps_abs=1e-6, eps_rel=1e-6, max_iter=100_000, verbose=False)
        out = []
        for one in ys:
            made.update(q=-(w @ one))
            out.append(one - w.T @ made.solve().x)
        return np.array(out), None
    return run


def measure(f, rounds):
    clock, processor = [], []
    for _ in range(rounds):
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        result = f()
        clock.append(1e3 * (time.perf_counter() - start))
        after = resource.getrusage(resource.RUSAGE_SELF)
        processor.append(1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return statistics.median(clock), statistics.median(processor), result


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--sizes", default="32,64,256")
    ap.add_argument("--peers", default="implicit,osqp-direct,osqp,cvxpylayers")
    ap.add_argument("--threads", type=int, default=2)
    args = ap.parse_args()
    torch.set_num_threads(args.threads)
    for n in map(int, args.sizes.split(",")):
        w, y, truth, beta = problem(n)
        exact = implicit(w, y, truth, beta, 1e-12)
        for name in args.peers.split(","):
            run = {"implicit": lambda n: implicit, "cvxpylayers": layer, "osqp": osqp, "osqp-direct": osqp_direct}[name](n)
            try:
                if name != "osqp-direct":
                    run(w, y, truth, beta)  # compiles, and warms up
                clock, processor, (x, dw) = measure(lambda: run(w, y, truth, beta), args.rounds)
            except Exception as e:  # a peer may refuse a problem; the others are measured
                print(json.dumps({"n": n, "peer": name, "failed": str(e)[:200]}), flush=True)
                continue
            got, want = (x, exact[0]) if dw is None else (dw, exact[1])
            print(json.dumps({"n": n, "peer": name, "ms": round(clock, 2), "cpu_ms": round(processor, 2),
                              "error": float(np.abs(got - want).max() / np.abs(want).max())}), flush=True)


if __name__ == "__main__":
    main()
