"""Wrong steps and wrong states to load, and what their errors say."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from wrong_live import Trip, Wrong, frozen, itself, on, reshaped, swapped, trip

import adamas

NAN, INF = math.nan, math.inf
SCHEDULED = on("Adam", lr=Trip)

STEP = {
    "same array twice": Wrong(
        lambda live: live.step(live.p_with(b=live.p["w"]), live.g_with(b=live.g["w"])),
        ValueError, r"parameters 'w' and 'b' share memory; each element must be updated once.*or copies",
    ),
    "overlapping slices": Wrong(
        lambda live: live.step([live.p[:2, 1:], live.p[1:, :2]], [live.g[:2, 1:], live.g[1:, :2]]),
        ValueError, r"parameters '0' and '1' share memory", **on("NAdam", "array"),
    ),
    "transposed view beside itself": Wrong(
        lambda live: live.step([live.p, live.p.T], [live.g, live.g.T]),
        ValueError, r"parameters '0' and '1' share memory", **on("NAdam", "array"),
    ),
    "stride 0": Wrong(
        lambda live: live.step(live.p_with(b=as_strided(live.p["b"], (3,), (0,)))),
        ValueError, r"parameter 'b' has elements that share memory.*p\.copy\(\)",
    ),
    "sliding windows": Wrong(
        lambda live: live.step(sliding_window_view(live.p["b"], 2, writeable=True), np.ones((2, 2))),
        ValueError, r"the parameter has elements that share memory; each must be updated once", **on("NAdam"),
    ),
    "read-only": Wrong(frozen, ValueError, r"parameter 'w' is read-only; .* Pass a writeable copy: p\.copy\(\)"),
    "broadcast": Wrong(
        lambda live: live.step(live.p_with(b=np.broadcast_to(live.p["b"][:1], 3))), ValueError, r"'b' is read-only"
    ),
    "integers": Wrong(
        lambda live: live.step(live.p_with(b=np.arange(3)), live.g_with(b=np.arange(3))),
        TypeError, r"parameter 'b' has dtype int64; allowed: float32, float64, float16, bfloat16.*p\.astype",
    ),
    "bools": Wrong(
        lambda live: live.step(live.p_with(b=np.ones(3, bool))), TypeError, r"parameter 'b' has dtype bool; allowed: float32"
    ),
    "complex": Wrong(lambda live: live.step(live.p_with(b=np.ones(3, complex))), TypeError, r"'b' has dtype complex128; all"),
    "objects": Wrong(lambda live: live.step(live.p_with(b=np.ones(3, object))), TypeError, r"'b' has dtype object; allowed"),
    "big-endian": Wrong(lambda live: live.step(live.p_with(b=swapped(live.p["b"]))), TypeError, r"dtype >f8; .*native byte"),
    "long double": Wrong(lambda live: live.step(live.p_with(b=np.ones(3, np.longdouble))), TypeError, r"dtype (float|long)"),
    "structured": Wrong(lambda live: live.step(live.p_with(b=np.ones(3, "f8,f8"))), TypeError, r"parameter 'b' has dtype \["),
    "masked array": Wrong(
        lambda live: live.step(live.p_with(b=np.ma.ones(3))), TypeError, r"'b' is MaskedArray .*Convert it with numpy\.asarray"
    ),
    "gradient dtype": Wrong(
        lambda live: live.step(g=live.g_with(w=live.g["w"].astype(np.float32))),
        TypeError, r"parameter 'w' has dtype float64, its gradient float32; .*g\.astype\('float64'\)",
    ),
    "gradient of integers": Wrong(
        lambda live: live.step(g=live.g_with(w=np.ones((2, 3), int))), TypeError, r"'w' has dtype float64, its gradient int64"
    ),
    "gradient big-endian": Wrong(
        lambda live: live.step(g=live.g_with(w=swapped(live.g["w"]))), TypeError, r"dtype float64, its gradient >f8"
    ),
    "gradient shape": Wrong(
        lambda live: live.step(g=live.g_with(w=live.g["w"].T)),
        ValueError, r"parameter 'w' has shape \(2, 3\), its gradient \(3, 2\); they must be equal \(nothing is broadcast\)",
    ),
    "gradient to broadcast": Wrong(
        lambda live: live.step(g=live.g_with(w=np.ones(()))), ValueError, r"'w' has shape \(2, 3\), its gradient \(\)"
    ),
    "gradient None": Wrong(
        lambda live: live.step(g=live.g_with(b=None)), TypeError, r"parameter 'b' has gradient None; pass an array of zeros"
    ),
    "gradient list": Wrong(
        lambda live: live.step(g=live.g_with(b=[1.0, 2.0, 3.0])),
        TypeError, r"parameter 'b': its gradient is list \[1\.0, 2\.0, 3\.0\]; it must be a numpy\.ndarray.*numpy\.asarray",
    ),
    "gradient number": Wrong(
        lambda live: live.step(g=live.g_with(b=0.5)), TypeError, r"parameter 'b': its gradient is float 0\.5; it must be a num"
    ),
    "gradient text": Wrong(lambda live: live.step(g=live.g_with(b="zero")), TypeError, r"'b': its gradient is str 'zero'"),
    "gradient function": Wrong(lambda live: live.step(g=live.g_with(b=abs)), TypeError, r"'b': its gradient is builtin_func"),
    "list for an array": Wrong(
        lambda live: live.step(live.p_with(b=[1.0, 2.0, 3.0])), TypeError, r"parameters at 'b' are a list, gradients ndarray"
    ),
    "text": Wrong(lambda live: live.step(live.p_with(b="b")), TypeError, r"parameter 'b' is str 'b'; a parameter must be a num"),
    "None": Wrong(lambda live: live.step(live.p_with(b=None)), TypeError, r"parameter 'b' is NoneType None; a parameter must"),
    "Python int": Wrong(lambda live: live.step(live.p_with(b=3)), TypeError, r"parameter 'b' is int 3; .*Convert it with nu"),
    "a lone float": Wrong(lambda live: live.step(0.5, 0.1), TypeError, r"the parameter is float 0\.5; .*within a dict", **on("SGD")),
    "a set": Wrong(lambda live: live.step({1.0}, {1.0}), TypeError, r"the parameter is set \{1\.0\}; a param", **on("SGD")),
    "a generator": Wrong(lambda live: live.step(x for x in ()), TypeError, r"the parameter is generator", **on("SGD")),
    "no parameters": Wrong(
        lambda live: live.opt.step({}, {}), ValueError, r"there are no parameters in \{\}; pass at least one array or float"
    ),
    "missing key": Wrong(
        lambda live: live.step(g={"w": live.g["w"]}), ValueError, r"keys of gradients differ .*: missing \['b'\], extra \[\]\. Pass"
    ),
    "extra key": Wrong(lambda live: live.step(g=live.g_with(c=np.ones(1))), ValueError, r"missing \[\], extra \['c'\]"),
    "missing key below": Wrong(
        lambda live: live.step(g=live.g_with(deep={"list": [live.g["deep"]["list"][0], {"z": np.ones(())}]})),
        ValueError, r"keys of gradients at 'deep\.list\.1' differ.*missing \['s'\], extra \['z'\]", **on("NAdam", "nested"),
    ),
    "shorter list below": Wrong(
        lambda live: live.step(g=live.g_with(deep={"list": live.g["deep"]["list"][:1]})),
        ValueError, r"there are 2 parameters at 'deep\.list' but 1 gradients; pass one", **on("NAdam", "nested"),
    ),
    "dict below for a list": Wrong(
        lambda live: live.step(g=live.g_with(deep={"list": {"0": 1.0}})),
        TypeError, r"parameters at 'deep\.list' are a list, gradients dict .*pass a list or tuple", **on("NAdam", "nested"),
    ),
    "fewer gradients": Wrong(
        lambda live: live.step(g=live.g[:1]), ValueError, r"there are 2 parameters but 1 gradients", **on("NAdam", "list")
    ),
    "more gradients": Wrong(
        lambda live: live.step(g=live.g + live.g), ValueError, r"there are 2 parameters but 4 gradients", **on("NAdam", "list")
    ),
    "list for a dict": Wrong(
        lambda live: live.step(g=list(live.g.values())), TypeError, r"parameters are a dict, gradients list .*pass a dict"
    ),
    "array for a list": Wrong(
        lambda live: live.step(g=live.g[0]), TypeError, r"parameters are a list, gradients ndarray", **on("NAdam", "list")
    ),
    "float within a tuple": Wrong(
        lambda live: live.step({"w": (0.5, 1.5)}, {"w": (1.0, 1.0)}),
        ValueError, r"parameter 'w\.0' is the number 0\.5 within a tuple, which cannot be changed; use a list",
    ),
    "array gradient of a float": Wrong(
        lambda live: live.step(g={"w": np.ones(1), "b": live.g["b"]}),
        TypeError, r"parameter 'w' is a number, its gradient ndarray.*pass a number", **on("NAdam", "floats"),
    ),
    "None gradient of a float": Wrong(
        lambda live: live.step(g={"w": None, "b": live.g["b"]}), TypeError, r"'w' is a number, its gradient NoneType",
        **on("NAdam", "floats"),
    ),
    "bool gradient of a float": Wrong(
        lambda live: live.step(g={"w": True, "b": live.g["b"]}), TypeError, r"'w' is a number, its gradient bool True",
        **on("NAdam", "floats"),
    ),
    "floats of one list twice": Wrong(
        lambda live: live.step([live.p["b"], live.p["b"]], [live.g["b"], live.g["b"]]),
        ValueError, r"parameter '1\.0': its container appears twice; each number must be updated once", **on("NAdam", "floats"),
    ),
    "a list that holds itself": Wrong(itself, ValueError, r"parameters at '1' contain themselves"),
    "one path twice": Wrong(
        lambda live: live.step({"a.b": live.p["w"], "a": {"b": live.p["b"]}}, {"a.b": live.g["w"], "a": {"b": live.g["b"]}}),
        ValueError, r"two parameters have the same path 'a\.b'; rename one key",
    ),
    "one parameter fewer": Wrong(
        lambda live: live.step({"w": live.p["w"]}, {"w": live.g["w"]}),
        ValueError, r"parameters differ from those of the steps before: missing \['b'\], new \[\].*or call reset\(\)", **on("NAdam"),
    ),
    "one parameter more": Wrong(
        lambda live: live.step(live.p_with(c=np.ones(1)), live.g_with(c=np.ones(1))),
        ValueError, r"missing \[\], new \['c'\]\. Pass the same set at every step", **on("NAdam"),
    ),
    "other shape than before": Wrong(
        lambda live: live.step(live.p_with(b=np.ones(4)), live.g_with(b=np.ones(4))),
        ValueError, r"parameter 'b' has shape \(4,\), its state \(3,\)\. Call reset\(\)",
    ),
    "reshaped in place": Wrong(reshaped, ValueError, r"parameter 'w' has shape \(3, 2\), its state \(2, 3\)\. Call reset\(\)"),
    "override without parameter": Wrong(
        lambda live: live.step({"w": live.p["w"]}, {"w": live.g["w"]}),
        ValueError, r"overrides: the pattern 'b\*' matches no parameter; there are: w\.",
    ),
    "schedule raises": Wrong(trip(RuntimeError("no rate")), RuntimeError, r"^no rate$", **SCHEDULED),
    "schedule nan": Wrong(trip(NAN), ValueError, r"lr=nan from the schedule at step 2 must be a finite number", **SCHEDULED),
    "schedule negative": Wrong(trip(-1), ValueError, r"lr=-1\.0 from the schedule at step 2 must lie in \[0, inf", **SCHEDULED),
    "schedule text": Wrong(trip("0.1"), ValueError, r"lr='0\.1' from the schedule at step 2 must be a finite", **SCHEDULED),
    "schedule None": Wrong(trip(None), ValueError, r"lr=None from the schedule at step 2 must be a finite", **SCHEDULED),
    "schedule complex": Wrong(trip(1j), ValueError, r"lr=1j from the schedule at step 2 must be a finite", **SCHEDULED),
    "schedule huge": Wrong(trip(10**400), ValueError, r"lr=1000.* from the schedule at step 2 must be a finite", **SCHEDULED),
    "schedule of beta": Wrong(trip(1.0), ValueError, r"beta1=1\.0 from the schedule.*\[0, 1\)", **on("Adam", beta1=Trip)),
    "schedule of an override": Wrong(
        trip(-2), ValueError, r"lr=-2\.0 from the schedule at step 2", **on("Adam", overrides={"b": {"lr": Trip}})
    ),
    "gradient nan": Wrong(
        lambda live: live.step(g=live.g_with(b=np.array([0.0, NAN, 1.0]))),
        FloatingPointError, r"non-finite element at step 3; nothing was changed\. nonfinite=\"skip\" leaves",
        **on("NAdam", nonfinite="raise"),
    ),
    "gradient inf beside a clip": Wrong(
        lambda live: live.step(g=live.g_with(w=np.full((2, 3), -INF))),
        FloatingPointError, r"non-finite element at step 3", **on("NAdam", nonfinite="raise", clip_norm=1.0),
    ),
    "wrong number of arguments": Wrong(lambda live: live.opt.step(live.p), TypeError, r"missing 1 required.*'grads'"),  # type: ignore[call-arg]
}  # fmt: skip

STATE = {
    "no mapping": Wrong(lambda live: live.opt.load_state_dict([1]), TypeError, r"state=\[1\] must be what state_dict\(\)"),  # type: ignore[arg-type]
    "empty": Wrong(lambda live: live.opt.load_state_dict({}), ValueError, r"the state lacks counters, format, hyper, options"),
    "missing t": Wrong(lambda live: live.load(t=...), ValueError, r"the state lacks t; it must be what state_dict\(\)"),
    "other format": Wrong(lambda live: live.load(format=99), ValueError, r"the state's format is 99, this optimizer's 1"),
    "other rule": Wrong(lambda live: live.load(rule="Adam"), ValueError, r"state's rule is 'Adam', this optimizer's 'NAdam'"),
    "other member": Wrong(
        lambda live: live.opt.load_state_dict(adamas.SGD().state_dict()), ValueError, r"rule is 'SGD', this optimizer's 'NAdam'"
    ),
    "other options": Wrong(
        lambda live: live.load(options={"compat": "folded", "form": "torch"}),
        ValueError, r"options is \{'compat': 'folded'.*this optimizer's \{'compat': 'paper'.*must be equal",
    ),
    "options no dict": Wrong(lambda live: live.load(options=3), TypeError, r"the state's options=3 must be a dict"),
    "other overrides": Wrong(lambda live: live.load(overrides={}), ValueError, r"override patterns is \[\], this.*\['b\*'\]"),
    "override of a stranger": Wrong(
        lambda live: live.load(overrides={"b*": {"rate": 1.0}}), ValueError, r"overrides\['b\*'\] have 'rate', this .* have not"
    ),
    "override missing": Wrong(lambda live: live.load(overrides={"b*": {}}), ValueError, r"\['b\*'\]: lr was a schedule when"),
    "override out of range": Wrong(lambda live: live.load(overrides={"b*": {"lr": -1}}), ValueError, r"lr=-1\.0 must lie"),
    "override no dict": Wrong(lambda live: live.load(overrides={"b*": 3}), TypeError, r"overrides\['b\*'\]=3 must be a dict"),
    "t negative": Wrong(lambda live: live.load(t=-1), ValueError, r"t=-1 must be a whole number from 0 on"),
    "t float": Wrong(lambda live: live.load(t=2.0), ValueError, r"t=2\.0 must be a whole number"),
    "t bool": Wrong(lambda live: live.load(t=True), ValueError, r"t=True must be a whole number"),
    "t text": Wrong(lambda live: live.load(t="2"), ValueError, r"t='2' must be a whole number"),
    "hyper no dict": Wrong(lambda live: live.load(hyper=[1]), TypeError, r"the state's hyper=\[1\] must be a dict"),
    "hyper of a stranger": Wrong(
        lambda live: live.load(hyper={**live.opt.hyper, "rate": 1.0}), ValueError, r"hyper-parameters have 'rate', this .* not"
    ),
    "hyper out of range": Wrong(lambda live: live.load(hyper={**live.opt.hyper, "beta2": 2}), ValueError, r"beta2=2\.0 must"),
    "hyper text": Wrong(lambda live: live.load(hyper={**live.opt.hyper, "eps": "1"}), TypeError, r"eps='1' must be a number"),
    "hyper was a schedule": Wrong(lambda live: live.load(hyper={"eps": 0.1}), ValueError, r"lr was a schedule.*give this opt"),
    "hyper of another form": Wrong(
        lambda live: live.load(hyper={**live.opt.hyper, "momentum": 0.9}), ValueError, r"would need another form", **on("RMSprop")
    ),
    "slot missing": Wrong(lambda live: live.load(state=live.slots(m=...)), ValueError, r"slots of 'w' is \['v'\], this.*\['m', "),
    "slot too many": Wrong(lambda live: live.load(state=live.slots(z=np.ones(1))), ValueError, r"slots of 'w' is \['m', 'v', 'z'"),
    "slots no dict": Wrong(lambda live: live.load(state={"w": 3}), TypeError, r"state\['w'\]=3 must be a dict"),
    "state no dict": Wrong(lambda live: live.load(state=3), TypeError, r"the state's state=3 must be a dict"),
    "slot of integers": Wrong(
        lambda live: live.load(state=live.slots(m=np.ones((2, 3), int))), TypeError, r"state 'm' of 'w' has dtype int64; float32 or"
    ),
    "slot big-endian": Wrong(
        lambda live: live.load(state=live.slots(m=np.ones((2, 3), ">f8"))), TypeError, r"state 'm' of 'w' has dtype >f8"
    ),
    "slot None": Wrong(lambda live: live.load(state=live.slots(v=None)), TypeError, r"state 'v' of 'w' has dtype object"),
    "slot shapes differ": Wrong(
        lambda live: live.load(state=live.slots(m=np.ones(6))), ValueError, r"slots of 'w' have different shapes \[\(2, 3\), \(6,\)\]"
    ),
    "scalars no dict": Wrong(lambda live: live.load(scalars=None), TypeError, r"the state's scalars=None must be a dict"),
    "scalars empty": Wrong(lambda live: live.load(scalars={}), ValueError, r"the state's scalars lack the group ''"),
    "scalar text": Wrong(
        lambda live: live.load(scalars={"": {"mu_product": "1"}}), TypeError, r"scalars\[''\]\['mu_product'\]='1' must be a number"
    ),
    "scalar missing": Wrong(lambda live: live.load(scalars={"": {}}), ValueError, r"scalar state of group '' is \[\], this opt"),
    "scalars of a stranger": Wrong(
        lambda live: live.load(scalars={"": {"mu_product": 1.0}, "z": {"mu_product": 1.0}}), ValueError, r"patterns of group 'z'"
    ),
    "counters text": Wrong(lambda live: live.load(counters={"skipped": "x"}), ValueError, r"counters\['skipped'\]='x' must be"),
}  # fmt: skip
