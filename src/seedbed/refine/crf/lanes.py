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


@no_type_check
def _vector(width):
    return ir.VectorType(ir.FloatType(), width)


@no_type_check
def _pointer(context, builder, kind, value, row, start, width):
    """Where `width` channels of a row of an array begin, from channel `start` on."""
    array = context.make_array(kind)(context, builder, value)
    channels = _unpacked(builder, array.shape)[1]
    element = builder.gep(array.data, [builder.add(builder.mul(row, channels), start)])
    return builder.bitcast(element, _vector(width).as_pointer())


@no_type_check
def _spread(builder, value, width):
    """A vector of one value."""
    lane = builder.insert_element(
        ir.Constant(_vector(width), ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    return builder.shuffle_vector(lane, lane, ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width))


@no_type_check
def _add(builder, total, factors, values):
    """total + factors · values; without a total the product alone."""
    term = builder.fmul(factors, values, flags=["fast"])
    return term if total is None else builder.fadd(total, term, flags=["fast"])


def _row_step(accumulate: bool) -> Any:
    @no_type_check
    def typed(_context, target, i, weights, source, rows, start, block):
        width, terms = len(block), len(rows)
        weight_type, row_type = _tuple_of(types.float32, terms), _tuple_of(types.intp, terms)
        signature = types.void(target, types.intp, weight_type, source, row_type, types.intp, block)

        @no_type_check
        def code(context, builder, _signature, arguments):
            target_value, i_value, weight_values, source_value, row_values, start_value, _ = arguments
            goal = _pointer(context, builder, target, target_value, i_value, start_value, width)
            total = builder.load(goal, align=4) if accumulate else None
            for weight, row in zip(
                _unpacked(builder, weight_values),
                _unpacked(builder, row_values),
                strict=True,
            ):
                place = _pointer(context, builder, source, source_value, row, start_value, width)
                total = _add(builder, total, _spread(builder, weight, width), builder.load(place, align=4))
            builder.store(total, goal, align=4)
            return context.get_dummy_value()

        return signature, code

    return typed


@no_type_check
def _blur_step(_context, values, row, goal, after, carried, start, block):
    width, index = len(block), types.intp
    signature = types.void(values, index, index, index, carried, index, block)

    @no_type_check
    def code(context, builder, _signature, arguments):
        array, row_value, goal_value, after_value, carried_value, start_value, _ = arguments
        own_place, goal_place, after_place = (
            _pointer(context, builder, values, array, i, start_value, width)
            for i in (row_value, goal_value, after_value)
        )
        first = ir.Constant(ir.IntType(64), 0)
        carried_place = _pointer(context, builder, carried, carried_value, first, start_value, width)
        own = builder.load(own_place, align=4)
        half = ir.Constant(_vector(width), [0.5] * width)
        total = _add(builder, own, half, builder.load(after_place, align=4))
        total = _add(builder, total, half, builder.load(carried_place, align=4))
        builder.store(own, carried_place, align=4)
        builder.store(total, goal_place, align=4)
        return context.get_dummy_value()

    return signature, code


@no_type_check
def _prefetch_step(_context, source, row, start):
    signature = types.void(source, types.intp, types.intp)

    @no_type_check
    def code(context, builder, _signature, arguments):
        place = builder.bitcast(_pointer(context, builder, source, *arguments, 1), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # To be read, kept in all levels of the cache, data.
        builder.call(fetch, [place, *(ir.Constant(number, flag) for flag in (0, 3, 1))])
        return context.get_dummy_value()

    return signature, code


@no_type_check
def _transpose_step(_context, source, row, column, target, block):
    width, index = len(block), types.intp
    signature = types.void(source, index, index, target, block)

    @no_type_check
    def code(context, builder, _signature, arguments):
        source_value, row_value, column_value, target_value, _ = arguments

        @no_type_check
        def place(kind, value, first, k, start):
            line = builder.add(first, ir.Constant(ir.IntType(64), k))
            return _pointer(context, builder, kind, value, line, start, width)

        tile = [
            builder.load(place(source, source_value, row_value, k, column_value), align=4)
            for k in range(width)
        ]
        step = width // 2
        while step:  # swap the off-diagonal blocks of each square of 2 · step
            for k in (k for k in range(width) if not k & step):
                upper, lower = tile[k], tile[k + step]
                for place_in_tile, shift in ((k, 0), (k + step, step)):
                    lanes = [
                        lane + shift if not lane & step else width + lane - step + shift
                        for lane in range(width)
                    ]
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), width), lanes)
                    tile[place_in_tile] = builder.shuffle_vector(upper, lower, mask)
            step //= 2
        for k, line in enumerate(tile):
            builder.store(line, place(target, target_value, column_value, k, row_value), align=4)
        return context.get_dummy_value()

    return signature, code


# All arrays are Float32[rows, channels] in C order. A block is a tuple whose length, known when compiled, is the
# number of channels worked on: start … start + len(block) − 1.

# f(target, i, weights, source, rows, start, block), with tuples of weights and rows:
# target[i] = Σ weights[k] · source[rows[k]], or target[i] += that sum.
set_row = intrinsic(_row_step(accumulate=False))
add_row = intrinsic(_row_step(accumulate=True))

# blur_row(values, row, goal, after, carried, start, block):
# values[goal] = values[row] + ½ values[after] + ½ carried[0], and carried[0] becomes what values[row] was.
blur_row = intrinsic(_blur_step)

# prefetch(source, row, start): the line of source[row, start] comes into the cache; nothing else happens.
prefetch = intrinsic(_prefetch_step)

# transpose_tile(source, i, j, target, block): target[j + k, i + l] = source[i + l, j + k] for k, l < len(block).
transpose_tile = intrinsic(_transpose_step)
