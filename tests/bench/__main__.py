"""`make bench`: every figure, one after the other."""

from __future__ import annotations

from tests.bench import bench_federated, bench_import, bench_sso


def main() -> None:
    """Print all figures."""
    bench_sso.main(times=300)
    bench_import.main(students=5000)
    bench_federated.main(students=1000, times=2000)


if __name__ == "__main__":
    main()
