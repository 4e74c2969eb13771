"""Wrong constructions and assignments, and what their errors say."""

from __future__ import annotations

import math

import numpy as np
from wrong_live import Wrong, assign, make, on

import adamas

NAN, INF = math.nan, math.inf


class Model:
    """What frameworks call a module: it can be called, and has parameters."""

    def __call__(self, x: object) -> object:
        return x

    def parameters(self) -> list[object]:
        return []


CONSTRUCTION = {
    "lr negative": Wrong(make("adam", lr=-1), ValueError, r"lr=-1\.0 must lie in \[0, inf\) \(learning rate"),
    "lr nan": Wrong(make("adam", lr=NAN), ValueError, r"lr=nan must lie in \[0, inf\)"),
    "lr inf": Wrong(make("sgd", lr=INF), ValueError, r"lr=inf must lie in \[0, inf\)"),
    "lr huge integer": Wrong(make("adam", lr=10**400), ValueError, r"lr=inf must lie in \[0, inf\)"),
    "lr text": Wrong(make("adam", lr="0.1"), TypeError, r"lr='0\.1' must be a number in \[0, inf\), or a schedule"),
    "lr None": Wrong(make("adam", None), TypeError, r"lr=None must be a number.*adamas\.schedules"),
    "lr bool": Wrong(make("adam", lr=True), TypeError, r"lr=True must be a number"),
    "lr numpy bool": Wrong(make("adam", lr=np.True_), TypeError, r"lr=np\.True_ must be a number"),
    "lr list": Wrong(make("adam", lr=[0.1]), TypeError, r"lr=\[0\.1\] must be a number"),
    "lr array": Wrong(make("adam", lr=np.ones(1)), TypeError, r"lr=array\(\[1\.\]\) must be a number"),
    "lr complex": Wrong(make("adam", lr=1 + 0j), TypeError, r"lr=\(1\+0j\) must be a number"),
    "lr a class": Wrong(make("adam", lr=float), TypeError, r"lr=<class 'float'> must be a number.*or a schedule"),
    "betas one": Wrong(
        make("adam", betas=(0.9,)), TypeError, r"betas=\(0\.9,\) must be 2 numbers in \[0, 1\): \(beta1, "
    ),
    "betas three": Wrong(make("adam", betas=(0.9, 0.9, 0.9)), TypeError, r"betas=\(.*\) must be 2 numbers"),
    "betas two of three": Wrong(
        make("adan", betas=(0.9, 0.9)), TypeError, r"must be 3 numbers.*\(beta1, beta2, beta3\)"
    ),
    "betas number": Wrong(make("adam", betas=0.9), TypeError, r"betas=0\.9 must be 2 numbers"),
    "betas text": Wrong(make("adam", betas="ab"), TypeError, r"betas='ab' must be 2 numbers"),
    "betas of text": Wrong(make("adam", betas=("0.9", 0.9)), TypeError, r"beta1='0\.9' must be a number in \[0, 1\)"),
    "beta2 one": Wrong(
        make("adam", betas=(0.9, 1.0)), ValueError, r"beta2=1\.0 must lie in \[0, 1\) \(decay rate of the sec"
    ),
    "beta1 negative": Wrong(make("adam", betas=(-0.1, 0.9)), ValueError, r"beta1=-0\.1 must lie in \[0, 1\)"),
    "beta1 nan": Wrong(make("adam", betas=(NAN, 0.9)), ValueError, r"beta1=nan must lie in \[0, 1\)"),
    "betas twice": Wrong(
        make("adam", betas=(0.9, 0.9), beta1=0.8), TypeError, r"give either betas or beta1, beta2, not both"
    ),
    "eps negative": Wrong(make("adam", eps=-1e-8), ValueError, r"eps=-1e-08 must lie in \[0, inf\)"),
    "weight_decay negative": Wrong(
        make("adamw", weight_decay=-1), ValueError, r"weight_decay=-1\.0 must lie in \[0, inf\)"
    ),
    "weight_decay nan": Wrong(make("sgd", weight_decay=NAN), ValueError, r"weight_decay=nan must lie in"),
    "momentum negative": Wrong(make("momentum", momentum=-0.5), ValueError, r"momentum=-0\.5 must lie in \[0, inf\)"),
    "rho one": Wrong(make("adadelta", rho=1), ValueError, r"rho=1\.0 must lie in \[0, 1\)"),
    "unknown argument": Wrong(
        make("adam", learning_rate=0.1), TypeError, r"Adam has no argument 'learning_rate'; allowed: lr, betas, eps"
    ),
    "misspelt argument": Wrong(
        make("adam", wieght_decay=0.1), TypeError, r"'wieght_decay'.*Did you mean 'weight_decay'\?"
    ),
    "argument of another member": Wrong(make("sgd", betas=(0.9, 0.9)), TypeError, r"SGD has no argument 'betas'"),
    "argument twice": Wrong(
        make("adam", 0.1, lr=0.1), TypeError, r"Adam: 'lr' was given twice, by position and by name"
    ),
    "parameters": Wrong(
        make("adam", [np.ones(3)], lr=0.1), TypeError, r"Adam takes settings only, the first is lr; .* Adam\(\)\.step"
    ),
    "parameters as an array": Wrong(make("lion", np.ones(3)), TypeError, r"Lion takes settings only, the first is lr"),
    "parameters of a torch module": Wrong(
        make("sgd", iter([np.ones(3)]), 0.1), TypeError, r"SGD takes settings only, the first is lr"
    ),
    "parameters in a set": Wrong(make("adam", {1.0, 2.0}), TypeError, r"Adam takes settings only, the first is lr"),
    "parameters as the values of a dict": Wrong(
        make("adam", {"w": 1.0}.values()), TypeError, r"Adam takes settings only, the first is lr"
    ),
    "a model": Wrong(make("adam", Model()), TypeError, r"Adam takes settings only, the first is lr"),
    "the base class": Wrong(
        lambda live: adamas.numpy.Optimizer(0.1), TypeError, r"Optimizer is the base of all members: make one with"
    ),
    "too many": Wrong(
        make("sgd", 0.1, 0.0, "coupled"), TypeError, r"SGD takes at most 2 positional.*: lr, weight_decay"
    ),
    "decay": Wrong(
        make("adam", decay="none"), ValueError, r"decay='none' must be one of 'coupled', 'decoupled', 'indep"
    ),
    "maximize integer": Wrong(make("adam", maximize=1), ValueError, r"maximize=1 must be one of False, True"),
    "cautious text": Wrong(make("adam", cautious="yes"), ValueError, r"cautious='yes' must be one of False, True"),
    "nonfinite": Wrong(
        make("adam", nonfinite="ignore"), ValueError, r"nonfinite='ignore' must be one of 'propagate', 'sk"
    ),
    "backend": Wrong(
        make("adam", backend="gpu"), ValueError, r"backend='gpu' must be one of 'auto', 'cpu', 'reference'"
    ),
    "compat": Wrong(make("adam", compat="keras"), ValueError, r"compat='keras' must be one of 'paper', 'folded'"),
    "compat of a list": Wrong(make("adam", compat=["paper"]), ValueError, r"compat=\['paper'\] must be one of"),
    "compat where there is none": Wrong(make("lion", compat="paper"), TypeError, r"Lion has no argument 'compat'"),
    "option of AMSGrad": Wrong(
        make("amsgrad", maximum="x"), ValueError, r"maximum='x' must be one of 'before', 'after'"
    ),
    "option of NAdam": Wrong(make("nadam", form="keras"), ValueError, r"form='keras' must be one of 'torch', 'dozat'"),
    "option as a number": Wrong(make("momentum", averaged=0), ValueError, r"averaged=0 must be one of False, True"),
    "clip_norm zero": Wrong(make("adam", clip_norm=0), ValueError, r"clip_norm=0\.0 must lie in \(0, inf\)"),
    "clip_norm inf": Wrong(make("adam", clip_norm=INF), ValueError, r"clip_norm=inf must lie in \(0, inf\)"),
    "clip_value nan": Wrong(make("adam", clip_value=NAN), ValueError, r"clip_value=nan must lie in \(0, inf\)"),
    "clip_tensor_norm text": Wrong(
        make("adam", clip_tensor_norm="1"), TypeError, r"clip_tensor_norm='1' must be a number"
    ),
    "clip_norm schedule": Wrong(make("adam", clip_norm=abs), TypeError, r"clip_norm=.*it takes no schedule"),
    "grad_scale None": Wrong(make("adam", grad_scale=None), TypeError, r"grad_scale=None must be a positive number"),
    "grad_scale negative": Wrong(make("adam", grad_scale=-1), ValueError, r"grad_scale=-1\.0 must lie in \(0, inf\)"),
    "overrides list": Wrong(make("adam", overrides=["b"]), TypeError, r"overrides=\['b'\] must be a dict: pattern -> "),
    "overrides number": Wrong(
        make("adam", overrides={"b": 0.1}), TypeError, r"overrides: 'b': 0\.1 must be a text pattern"
    ),
    "overrides key": Wrong(
        make("adam", overrides={3: {"lr": 0.1}}), TypeError, r"overrides: 3: .* must be a text pattern"
    ),
    "overrides name": Wrong(
        make("adam", overrides={"b": {"rate": 0.1}}),
        TypeError,
        r"overrides\['b'\] has no argument 'rate'; allowed: lr, ",
    ),
    "overrides option": Wrong(make("adam", overrides={"b": {"compat": "folded"}}), TypeError, r"no argument 'compat'"),
    "overrides value": Wrong(make("adam", overrides={"b": {"lr": -1}}), ValueError, r"lr=-1\.0 must lie in \[0, inf\)"),
    "overrides text": Wrong(make("adam", overrides={"b": {"lr": "1"}}), TypeError, r"lr='1' must be a number"),
    "overrides betas": Wrong(make("adam", overrides={"b": {"betas": (0.9,)}}), TypeError, r"betas=\(0\.9,\) must be 2"),
    "overrides bar": Wrong(
        make("adam", overrides={"a|b": {"lr": 1}}), ValueError, r"pattern 'a\|b' has a '\|'.*use '\?'"
    ),
    "overrides other form": Wrong(
        make("rmsprop", overrides={"b": {"momentum": 0.9}}), ValueError, r"overrides\['b'\] would need another form"
    ),
    "optimizer of a function": Wrong(
        lambda live: adamas.optimizer(abs), TypeError, r"optimizer\(.*\): a Rule is needed; dec"
    ),  # type: ignore[arg-type]
    "optimizer of a class": Wrong(
        lambda live: adamas.optimizer(adamas.Adam), TypeError, r"a Rule is needed.*@adamas\.rule"
    ),  # type: ignore[arg-type]
    "get unknown": Wrong(
        lambda live: adamas.get("nonsense"), ValueError, r"unknown optimizer 'nonsense'; known: SGD, SGDW"
    ),
    "get number": Wrong(lambda live: adamas.get(3), ValueError, r"unknown optimizer 3; known: .*file\.py:rule_name"),  # type: ignore[arg-type]
    "get no file": Wrong(lambda live: adamas.get("none.py:mine"), ValueError, r"none\.py: no such file; give path/to"),
    "get no rule": Wrong(
        lambda live: adamas.get(f"{__file__}:Live"), ValueError, r"'Live' is no rule; mark the function"
    ),
    "threads 0": Wrong(
        lambda live: adamas.set_num_threads(0), ValueError, r"set_num_threads=0 must be .* from 1 to 1024"
    ),
    "threads -1": Wrong(
        lambda live: adamas.set_num_threads(-1), ValueError, r"=-1 must be a whole number from 1 to 1024"
    ),
    "threads 1.5": Wrong(lambda live: adamas.set_num_threads(1.5), ValueError, r"=1\.5 must be a whole number"),  # type: ignore[arg-type]
    "threads text": Wrong(lambda live: adamas.set_num_threads("2"), ValueError, r"='2' must be a whole number"),  # type: ignore[arg-type]
    "threads bool": Wrong(lambda live: adamas.set_num_threads(True), ValueError, r"=True must be a whole number"),
    "threads many": Wrong(lambda live: adamas.set_num_threads(1025), ValueError, r"=1025 must be a whole number"),
}

ASSIGNMENT = {
    "lr negative": Wrong(assign("lr", -1.0), ValueError, r"lr=-1\.0 must lie in \[0, inf\)"),
    "lr nan": Wrong(assign("lr", NAN), ValueError, r"lr=nan must lie in"),
    "lr text": Wrong(assign("lr", "0.1"), TypeError, r"lr='0\.1' must be a number.*or a schedule"),
    "lr None": Wrong(assign("lr", None), TypeError, r"lr=None must be a number"),
    "betas one": Wrong(assign("betas", (0.9,)), TypeError, r"betas=\(0\.9,\) must be 2 numbers"),
    "betas half right": Wrong(assign("betas", (0.5, 1.5)), ValueError, r"beta2=1\.5 must lie in \[0, 1\)"),
    "betas half text": Wrong(assign("betas", (0.5, "x")), TypeError, r"beta2='x' must be a number"),
    "beta2": Wrong(assign("beta2", 1.0), ValueError, r"beta2=1\.0 must lie in \[0, 1\)"),
    "eps": Wrong(assign("eps", -1), ValueError, r"eps=-1\.0 must lie in"),
    "unknown": Wrong(
        assign("learning_rate", 0.1), AttributeError, r"NAdam\.learning_rate is no hyper-parameter; may be .*lr"
    ),
    "betas of SGD": Wrong(
        assign("betas", (0.9, 0.9)), AttributeError, r"SGD\.betas is no.*may be assigned: lr, we", **on("SGD")
    ),
    "compat": Wrong(
        assign("compat", "folded"), AttributeError, r"NAdam\.compat is fixed at construction; may be assigned: lr"
    ),
    "decay": Wrong(assign("decay", "coupled"), AttributeError, r"\.decay is fixed at construction"),
    "clip_norm": Wrong(assign("clip_norm", 1.0), AttributeError, r"\.clip_norm is fixed at construction"),
    "backend": Wrong(assign("backend", "reference"), AttributeError, r"\.backend is fixed at construction"),
    "overrides": Wrong(assign("overrides", {}), AttributeError, r"\.overrides is fixed at construction"),
    "t": Wrong(assign("t", 5), AttributeError, r"NAdam\.t is no hyper-parameter"),
    "hyper": Wrong(assign("hyper", {}), AttributeError, r"\.hyper is no hyper-parameter"),
    "rule": Wrong(assign("rule", adamas.Adam.rule), AttributeError, r"\.rule is no hyper-parameter"),
    "momentum from 0": Wrong(
        assign("momentum", 0.9),
        ValueError,
        r"RMSprop: this change would need another form.*Make a new",
        **on("RMSprop"),
    ),
    "momentum to 0": Wrong(
        assign("momentum", 0),
        ValueError,
        r"RMSprop: this change would need another form",
        **on("RMSprop", momentum=0.9),
    ),
}
