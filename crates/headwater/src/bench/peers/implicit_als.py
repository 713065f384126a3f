"""Trains implicit's alternating least squares for `headwater bench ials`.

Reads a matrix of users x items (rows.u64: where each row starts; columns.i32) and then one JSON order a line on
standard input; answers each with one JSON line. The factors go to files, so that one evaluation judges both sides.
"""

import json
import os
import sys

# implicit parallelises over users itself and asks for a single-threaded BLAS below it.
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy
import scipy.sparse
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits


def main(folder, users, items, threads):
    starts = numpy.fromfile(os.path.join(folder, "rows.u64"), dtype=numpy.uint64).astype(numpy.int32)
    columns = numpy.fromfile(os.path.join(folder, "columns.i32"), dtype=numpy.int32)
    values = numpy.ones(len(columns), dtype=numpy.float32)
    matrix = scipy.sparse.csr_matrix((values, columns, starts), shape=(users, items))
    print(json.dumps({"ready": True, "entries": int(matrix.nnz)}), flush=True)
    with threadpool_limits(limits=1, user_api="blas"):
        for line in sys.stdin:
            order = json.loads(line)
            model = AlternatingLeastSquares(
                factors=order["factors"],
                regularization=order["regularization"],
                alpha=order["alpha"],
                iterations=order["iterations"],
                use_cg=True,
                num_threads=threads,
                random_state=order["seed"],
            )
            seconds = []
            model.fit(matrix, show_progress=False, callback=lambda i, elapsed, loss: seconds.append(elapsed))
            model.user_factors.astype("<f4").tofile(os.path.join(folder, "users.f32"))
            model.item_factors.astype("<f4").tofile(os.path.join(folder, "items.f32"))
            print(json.dumps({"seconds": seconds}), flush=True)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
