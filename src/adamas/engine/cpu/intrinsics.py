"""Machine words for Numba: reads and writes at addresses, bit patterns, atomics, the floating-point mode."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = ir.IntType(64)


@intrinsic
def word(typingctx: Any, address: Any) -> Any:
    """The 64-bit integer at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], WORD.as_pointer()))

    return types.int64(types.int64), codegen


@intrinsic
def word32(typingctx: Any, address: Any) -> Any:
    """The 32-bit integer at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sext(builder.load(builder.inttoptr(args[0], ir.IntType(32).as_pointer())), WORD)

    return types.int64(types.int64), codegen


@intrinsic
def put(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a 64-bit integer."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], WORD.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def real(typingctx: Any, address: Any) -> Any:
    """The float64 at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], ir.DoubleType().as_pointer()))

    return types.float64(types.int64), codegen


@intrinsic
def real32(typingctx: Any, address: Any) -> Any:
    """The float32 at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], ir.FloatType().as_pointer()))

    return types.float32(types.int64), codegen


@intrinsic
def put_real(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a float of either width."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], args[1].type.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, value), codegen


@intrinsic
def power(typingctx: Any, base: Any, exponent: Any) -> Any:
    """The C library's `pow`, never rewritten by the compiler."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        double = ir.DoubleType()
        function = builder.module.globals.get("pow")
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(double, [double, double]), "pow")
            function.attributes.add("nobuiltin")
        return builder.call(function, args)

    return types.float64(types.float64, types.float64), codegen


@intrinsic
def fetch_add(typingctx: Any, address: Any, value: Any) -> Any:
    """Atomically add; returns the value before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", builder.inttoptr(args[0], WORD.as_pointer()), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def fetch_add32(typingctx: Any, address: Any, value: Any) -> Any:
    """Atomically add to a 32-bit integer."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = ir.IntType(32)
        builder.atomic_rmw("add", builder.inttoptr(args[0], half.as_pointer()), builder.trunc(args[1], half), "seq_cst")
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Have a cache line brought from memory; any address will do."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        read, keep, data = number(0), number(3), number(1)
        builder.call(function, [builder.inttoptr(args[0], byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


def _float_mode(builder: Any, setting: Any) -> Any:
    """Set the processor's floating-point mode; returns what it was. Zero where the processor's kind is not known."""
    triple = builder.module.triple
    if triple.startswith(("x86_64", "i686")):
        half, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer])
        here = builder.alloca(half)
        at = builder.bitcast(here, pointer)
        builder.call(builder.module.declare_intrinsic("llvm.x86.sse.stmxcsr", (), kind), [at])
        before = builder.zext(builder.load(here), WORD)
        builder.store(builder.trunc(setting or WORD(0x1F80), half), here)
        builder.call(builder.module.declare_intrinsic("llvm.x86.sse.ldmxcsr", (), kind), [at])
        return before
    if triple.startswith(("aarch64", "arm64")):
        read, write = ir.FunctionType(WORD, []), ir.FunctionType(ir.VoidType(), [WORD])
        before = builder.call(builder.module.declare_intrinsic("llvm.aarch64.get.fpcr", (), read), [])
        setter = builder.module.declare_intrinsic("llvm.aarch64.set.fpcr", (), write)
        builder.call(setter, [setting or WORD(0)])
        return before
    return WORD(0)


@intrinsic
def ieee_floats(typingctx: Any) -> Any:
    """Have this thread round to nearest and keep denormals, whatever was set; returns the mode before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _float_mode(builder, None)

    return types.int64(), codegen


@intrinsic
def restore_floats(typingctx: Any, mode: Any) -> Any:
    """Return to the floating-point mode that `ieee_floats` found."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _float_mode(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def load_acquire(typingctx: Any, address: Any) -> Any:
    """Atomic load."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(args[0], WORD.as_pointer()), "acquire", 8)

    return types.int64(types.int64), codegen


@intrinsic
def store_release(typingctx: Any, address: Any, value: Any) -> Any:
    """Atomic store."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], builder.inttoptr(args[0], WORD.as_pointer()), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def where(typingctx: Any, condition: Any, a: Any, b: Any) -> Any:
    """Select without a branch."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(args[0], args[1], args[2])

    return a(types.boolean, a, a), codegen


@intrinsic
def bits(typingctx: Any, x: Any) -> Any:
    """The bit pattern of a float, as an integer of its width."""
    integer = types.int32 if x is types.float32 else types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_data_type(integer))

    return integer(x), codegen


@intrinsic
def magnitude(typingctx: Any, x: Any) -> Any:
    """The bit pattern of |x|: ordered as |x| is, with infinity and NaN on top."""
    integer = types.int32 if x is types.float32 else types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pattern = context.get_data_type(integer)
        mask = ir.Constant(pattern, (1 << (pattern.width - 1)) - 1)
        return builder.and_(builder.bitcast(args[0], pattern), mask)

    return integer(x), codegen


@intrinsic
def residue(typingctx: Any, x: Any) -> Any:
    """The bit pattern of x - x: 0 if x is finite, else that of a NaN. One subtraction tells, without a comparison."""
    integer = types.int32 if x is types.float32 else types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.fsub(args[0], args[0]), context.get_data_type(integer))

    return integer(x), codegen


@intrinsic
def either(typingctx: Any, a: Any, b: Any) -> Any:
    """Bits of two integers together, in their own width; Numba's `|` would widen, and the loop with it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.or_(args[0], args[1])

    return a(a, b), codegen


@intrinsic
def multiply_add(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """Sum of z and x * y, fused where the processor does that fast: only for products that are exact anyway."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        function = builder.module.declare_intrinsic("llvm.fmuladd", [kind], ir.FunctionType(kind, [kind] * 3))
        return builder.call(function, args)

    return x(x, x, x), codegen


@intrinsic
def call(typingctx: Any, function: Any, control: Any, me: Any) -> Any:
    """Call the C function `void(int64, int64)` at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [WORD, WORD])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def ask(typingctx: Any, function: Any) -> Any:
    """Call the C function `int(void)` at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        return builder.sext(builder.call(builder.inttoptr(args[0], kind.as_pointer()), []), WORD)

    return types.int64(types.int64), codegen


@intrinsic
def tally(typingctx: Any, count: Any, more: Any) -> Any:
    """Sum of two integers in their own width; Numba's `+` would widen, and the loop with it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.add(args[0], args[1])

    return count(count, count), codegen
