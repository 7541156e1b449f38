"""Rows of channels as vector registers: the inner step of the CRF's kernels.

Splatting, blurring and slicing consist of weighted sums of rows over a few channels. The compiler cannot know
that two arrays do not overlap, so it would work channel by channel; here vector instructions are requested
explicitly.
"""

from typing import Any, no_type_check

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_tuple_of: Any = types.UniTuple
_unpacked: Any = cgutils.unpack_tuple


def _row_step(accumulate: bool) -> Any:
    @no_type_check
    def typed(_context, target, i, weights, source, rows, start, block):
        width, terms = len(block), len(rows)
        weight_type, row_type = _tuple_of(types.float32, terms), _tuple_of(types.intp, terms)
        signature = types.void(target, types.intp, weight_type, source, row_type, types.intp, block)

        @no_type_check
        def code(context, builder, _signature, arguments):
            target_value, i_value, weight_values, source_value, row_values, start_value, _ = arguments
            vector = ir.VectorType(ir.FloatType(), width)
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)

            @no_type_check
            def pointer(kind, value, row):
                array = context.make_array(kind)(context, builder, value)
                channels = _unpacked(builder, array.shape)[1]
                element = builder.gep(array.data, [builder.add(builder.mul(row, channels), start_value)])
                return builder.bitcast(element, vector.as_pointer())

            goal = pointer(target, target_value, i_value)
            total = builder.load(goal, align=4) if accumulate else None
            for weight, row in zip(
                _unpacked(builder, weight_values),
                _unpacked(builder, row_values),
                strict=True,
            ):
                first_lane = builder.insert_element(
                    ir.Constant(vector, ir.Undefined), weight, ir.Constant(ir.IntType(32), 0)
                )
                factors = builder.shuffle_vector(first_lane, first_lane, lanes)
                term = builder.fmul(
                    factors, builder.load(pointer(source, source_value, row), align=4), flags=["fast"]
                )
                total = term if total is None else builder.fadd(total, term, flags=["fast"])
            builder.store(total, goal, align=4)
            return context.get_dummy_value()

        return signature, code

    return typed


# f(target, i, weights, source, rows, start, block), for Float32[rows, channels] arrays in C order and tuples
# of weights and rows: on the channels start … start + len(block) − 1,
# target[i] = Σ weights[k] · source[rows[k]], or target[i] += that sum.
set_row = intrinsic(_row_step(accumulate=False))
add_row = intrinsic(_row_step(accumulate=True))
