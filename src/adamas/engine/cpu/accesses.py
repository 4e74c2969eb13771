"""Storage formats for Numba: loads and stores that promise not to alias.

A load or store carries an alias scope: arrays of different scopes never overlap (the plan checks it), so LLVM
vectorises without run-time checks. Alignment 1 makes unaligned arrays right at no cost on present CPUs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SCOPES = 12
WIDE: dict[str, Any] = {"float32": types.float32, "float64": types.float64}
COMPUTE: dict[str, Any] = {**WIDE, "float16": types.float32, "bfloat16": types.float32}


def _tag(builder: Any, instruction: Any, scope: int) -> None:
    """Mark an access as disjoint from all accesses of other scopes."""
    module = builder.module
    domain = module.add_metadata(["adamas"])
    scopes = [module.add_metadata([f"adamas.{k}", domain]) for k in range(SCOPES)]
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[scope]]))
    instruction.set_metadata("noalias", module.add_metadata([s for k, s in enumerate(scopes) if k != scope]))


def _at(builder: Any, address: Any, index: Any, llvm_type: Any) -> Any:
    return builder.gep(builder.inttoptr(address, llvm_type.as_pointer()), [index])


def _decode_bfloat16(builder: Any, half: Any) -> Any:
    wide = builder.zext(half, ir.IntType(32))
    return builder.bitcast(builder.shl(wide, ir.Constant(ir.IntType(32), 16)), ir.FloatType())


def _encode_bfloat16(builder: Any, value: Any) -> Any:
    """Round to nearest even; NaN stays a quiet NaN."""
    word = ir.IntType(32)
    bits = builder.bitcast(value, word)
    odd = builder.and_(builder.lshr(bits, ir.Constant(word, 16)), ir.Constant(word, 1))
    rounded = builder.lshr(builder.add(bits, builder.add(odd, ir.Constant(word, 0x7FFF))), ir.Constant(word, 16))
    quiet = builder.or_(builder.lshr(bits, ir.Constant(word, 16)), ir.Constant(word, 0x40))
    chosen = builder.select(builder.fcmp_unordered("uno", value, value), quiet, rounded)
    return builder.trunc(chosen, ir.IntType(16))


def _decode(builder: Any, name: str, stored: Any) -> Any:
    """A stored number in the compute type of its format."""
    if name == "bfloat16":
        return _decode_bfloat16(builder, stored)
    if name == "float16":
        return builder.fpext(builder.bitcast(stored, ir.HalfType()), ir.FloatType())
    return stored


def _encode(builder: Any, name: str, value: Any) -> Any:
    """A number of the compute type of a format as it is stored."""
    if name == "bfloat16":
        return _encode_bfloat16(builder, value)
    if name == "float16":
        return builder.bitcast(builder.fptrunc(value, ir.HalfType()), ir.IntType(16))
    return value


def _convert(builder: Any, value: Any, wanted: Any) -> Any:
    """A float32 or float64 as the other, where they differ."""
    if value.type == wanted:
        return value
    narrow = isinstance(wanted, ir.FloatType)
    return builder.fptrunc(value, wanted) if narrow else builder.fpext(value, wanted)


@cache
def load(name: str, scope: int, compute_name: str = "") -> Any:
    """`load(address, index)` of a storage format, as its own compute type or the one named."""
    own, compute = COMPUTE[name], WIDE.get(compute_name, COMPUTE[name])

    @intrinsic
    def load(typingctx: Any, address: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            stored = ir.IntType(16) if "16" in name else context.get_data_type(own)
            value = builder.load(_at(builder, args[0], args[1], stored), align=1)
            _tag(builder, value, scope)
            return _convert(builder, _decode(builder, name, value), context.get_data_type(compute))

        return compute(types.int64, types.int64), codegen

    return load


@cache
def store(name: str, scope: int, compute_name: str = "") -> Any:
    """`store(address, index, value)` into a storage format, rounded to nearest even."""
    own, compute = COMPUTE[name], WIDE.get(compute_name, COMPUTE[name])

    @intrinsic
    def store(typingctx: Any, address: Any, index: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            word = _encode(builder, name, _convert(builder, args[2], context.get_data_type(own)))
            written = builder.store(word, _at(builder, args[0], args[1], word.type), align=1)
            _tag(builder, written, scope)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, compute), codegen

    return store


@cache
def rounded(name: str, compute_name: str) -> Any:
    """`rounded(value)`: what would be loaded again after a store into a storage format."""
    own, compute = COMPUTE[name], WIDE[compute_name]

    @intrinsic
    def rounded(typingctx: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            stored = _encode(builder, name, _convert(builder, args[0], context.get_data_type(own)))
            return _convert(builder, _decode(builder, name, stored), context.get_data_type(compute))

        return compute(compute), codegen

    return rounded
