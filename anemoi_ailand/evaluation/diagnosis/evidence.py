# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Evidence for a change of a parameter in a class of surface, and posterior probabilities of all such hypotheses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from anemoi_ailand.evaluation.diagnosis.residuals import Residuals
from anemoi_ailand.evaluation.diagnosis.surface_classes import SurfaceClass

#: Errors of a response of the emulator, as shares of it [1]: of each variable, each season, each block of both (common
#: to a class), and of each block at single sites. The emulator learned parameters from a few types of vegetation.
_OF_VARIABLE, _OF_SEASON, _OF_BLOCK, _OF_SITE = 0.35, 0.25, 0.25, 0.3

#: Change, in units of the response, below which a parameter counts as unchanged [1].
_NEGLIGIBLE = 0.05

#: Correlation between sites of a class of the emulator's error between years [1].
_CLASS_CORRELATION = 0.02

#: Amplitudes of a change that are compared, in units of the response, of either sign.
_AMPLITUDES = np.geomspace(0.1, 6.0, 14)

#: Amplitude that sets the weights of sites, and degrees of freedom of Student's t by which odd sites count less.
_USUAL, _FREEDOM = 2.0, 4.0

#: Usual cover of a class, for the part of a pattern that sites do not share [1].
_COVER = 0.5

#: Smallest cover and fewest sites of a pattern, and sites that are left out in turn.
_LEAST_COVER, _FEWEST_SITES, _INFLUENTIAL = 0.05, 5, 3

#: Scales of a pattern that no candidate explains, in units of the usual response.
_SCALES = (0.5, 1.0, 2.0, 4.0)

#: Prior probabilities: nothing is wrong; something that is not among the candidates. The candidates share the rest.
PRIOR_NOTHING, PRIOR_OUTSIDE = 0.5, 0.1

#: Power of the evidence. Sites share errors of the responses that the terms above do not hold: of nineteen planted
#: changes (docs/results/diagnosis.md), the mean log score is best with .15, -1.2, and -2.5 with 1.
_TEMPER = 0.15

#: Names of these hypotheses.
NOTHING, OUTSIDE = "nothing", "outside the inputs"


@dataclass(frozen=True)
class Hypothesis:
    """A parameter is changed in a class of surface.

    ``log_evidence`` is the logarithm of the Bayes factor against no change, ``amplitude`` and ``uncertainty`` the
    change in units of the response, ``sites`` the number of sites that tell of it, ``probability`` posterior.
    """

    surface: str
    parameter: str
    log_evidence: float
    amplitude: float = np.nan
    uncertainty: float = np.nan
    sites: int = 0
    probability: float = np.nan


class _Blocks:
    """Coefficients of the blocks of a response at sites: information (site, block, block) and score (site, block)."""

    def __init__(self, residuals: Residuals, response: np.ndarray) -> None:
        cells = residuals.cells
        masks = cells.blocks()
        use = np.abs(response).sum(1) > 0.0
        self.sites = int(use.sum())
        parts = masks[None] * response[use][:, None]
        weighted = parts @ residuals.precision[use]
        self.information = weighted @ parts.transpose(0, 2, 1)
        self.score = np.einsum("sbc,sc->sb", parts, residuals.score[use])
        self.error = weighted * residuals.spread[use][:, None]  # for the error that the sites of a class share
        self.correlation = residuals.correlation
        known = self.information.sum(0).diagonal() > 1e-6
        variable, season = cells.variable[masks.argmax(1)], np.where(
            masks.sum(1) > 4, -1 - np.arange(len(masks)), cells.season[masks.argmax(1)]
        )  # fmt: skip
        season = np.where([n.startswith("swvl") for n in np.array(cells.names)[variable]], -1 - variable, season)
        deviation = _OF_VARIABLE**2 * (variable[:, None] == variable) + _OF_SEASON**2 * (season[:, None] == season)
        self.deviation = (deviation + _OF_BLOCK**2 * np.eye(len(masks)))[np.ix_(known, known)]
        self.information, self.score = self.information[:, known][:, :, known], self.score[:, known]
        self.error = self.error[:, known]

    def __len__(self) -> int:
        return self.score.shape[1]

    def limited(self) -> None:
        """Limit the information of a site to that of a response with an error of its own."""
        shrink = np.linalg.inv(np.eye(len(self)) + _OF_SITE**2 * self.information)
        information = shrink @ self.information
        self.information = 0.5 * (information + information.transpose(0, 2, 1))
        self.score, self.error = np.einsum("sbd,sd->sb", shrink, self.score), shrink @ self.error

    def totals(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return information and score of all sites, and the covariance of the score without a change."""
        information, score = np.einsum("s,sbd->bd", weight, self.information), weight @ self.score
        shared = np.einsum("s,sbc->bc", weight, self.error)
        tiny = 1e-9 * information.diagonal().max() * np.eye(len(self))
        noise = information + tiny + _NEGLIGIBLE**2 * information @ information
        return information, score, noise + _CLASS_CORRELATION * shared @ self.correlation @ shared.T

    def weights(self) -> np.ndarray:
        """Return weights (site,) that reduce the influence of sites unlike the others."""
        weight = np.ones(len(self.score))
        for _ in range(3):
            information, score, noise = self.totals(weight)
            prior = _USUAL**2 * (1.0 + self.deviation)
            change = prior @ information @ np.linalg.solve(noise + information @ prior @ information, score)
            rest = self.score - self.information @ change
            own = self.information + _OF_SITE**2 * self.information @ self.information
            own = own + 1e-9 * (1.0 + own.max()) * np.eye(len(self))
            size = np.einsum("sb,sb->s", rest, np.linalg.solve(own, rest[..., None])[..., 0])
            weight = np.minimum(1.0, (_FREEDOM + len(self)) / (_FREEDOM + size))
        return weight


class Pattern:
    """A pattern that no candidate explains, as large as their ``responses`` (site, cell) by name.

    ``usual`` (cell, cell) is its covariance: that of the responses, and independent cells. ``precision`` of the sites
    allows for a part of it that they do not share, as for a response of the emulator.
    """

    def __init__(self, residuals: Residuals, responses: Mapping[str, np.ndarray]) -> None:
        stacked = np.concatenate([np.where(residuals.missing, 0.0, x) for x in responses.values()])
        moments = 4.0 * stacked.T @ stacked / len(stacked)
        self.usual = moments + 0.5 * np.diag(moments.diagonal())
        own, precision = _OF_SITE**2 * _COVER**2 * self.usual, residuals.precision
        self.precision = precision @ np.linalg.inv(np.eye(len(own)) + own @ precision)


def _log_normal(value: np.ndarray, covariance: np.ndarray) -> float:
    """Return the logarithm of a normal density, but for its constant."""
    return float(-0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * value @ np.linalg.solve(covariance, value))


def _mean(logarithms: Sequence[float]) -> float:
    """Return the logarithm of a mean of exponentials."""
    largest = max(logarithms)
    return float(largest + np.log(np.mean(np.exp(np.array(logarithms) - largest))))


def change_evidence(residuals: Residuals, response: np.ndarray, surface: str, parameter: str) -> Hypothesis:
    r"""Return the evidence that the residuals of a class are :math:`a R (1 + \epsilon)` rather than noise.

    Parameters
    ----------
    residuals : Residuals
        Sites.
    response : array, shape (site, cell)
        Response R of the emulator to a change of the parameter, zero outside the class.
    surface, parameter : str
        Names of class and parameter.

    The factors :math:`1 + \epsilon` differ by variable and season, since the emulator's response has errors. All
    amplitudes a of both signs are as likely, from 0.1 to 6 in the logarithm. The amplitude returned is the mean over
    sites with the scatter between them (DerSimonian and Laird 1986), of a response as towers with their gain see it.
    """
    response = np.where(residuals.missing, 0.0, response)
    blocks = _Blocks(residuals, response)
    if blocks.sites < _FEWEST_SITES or not len(blocks):
        return Hypothesis(surface, parameter, -np.inf, sites=blocks.sites)
    weight = blocks.weights()
    blocks.limited()
    information, score, noise = blocks.totals(weight)
    one = information.sum(1)
    without, found = _log_normal(score, noise), []
    for a in (*-_AMPLITUDES[::-1], *_AMPLITUDES):
        covariance = noise + a**2 * information @ blocks.deviation @ information
        found.append(_log_normal(score - a * one, covariance) - without)
    amplitude, uncertainty = _amplitude(residuals, response, weight)
    return Hypothesis(surface, parameter, _mean(found), amplitude, uncertainty, blocks.sites)


def _amplitude(residuals: Residuals, response: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    use = np.abs(response).sum(1) > 0.0
    response = residuals.as_seen(response)
    inner = np.einsum("sc,scd,sd->s", response[use], residuals.precision[use], response[use])
    known = inner > 0.01
    inner, weight = inner[known], weight[known]
    if not known.any():
        return np.nan, np.nan
    own = (response[use] * residuals.score[use]).sum(1)[known] / inner
    fixed = (inner * weight * own).sum() / (inner * weight).sum()
    excess = (inner * weight * (own - fixed) ** 2).sum() - (len(own) - 1)
    between = max(0.0, excess / ((inner * weight).sum() - (inner**2 * weight).sum() / inner.sum()))
    precision = weight / (1.0 / inner + between)
    return float((precision * own).sum() / precision.sum()), float(precision.sum() ** -0.5)


def pattern_evidence(residuals: Residuals, surface: SurfaceClass, pattern: Pattern) -> Hypothesis:
    """Return the evidence for any pattern (cell,) that the sites of a class share in proportion to its cover.

    It is the least of those with one of the most influential sites left out, so that no odd site alone is a class.
    """
    use = np.flatnonzero((surface.cover > _LEAST_COVER) & ~residuals.missing.all(1))
    if use.size < _FEWEST_SITES:
        return Hypothesis(surface.name, OUTSIDE, -np.inf, sites=int(use.size))
    share, precision = surface.cover[use], pattern.precision[use]
    score = share[:, None] * np.einsum("scd,sd->sc", precision, residuals.values[use])
    influence = np.argsort(-np.einsum("sc,cd,sd->s", score, pattern.usual, score))[:_INFLUENTIAL]
    found = []
    for site in influence:
        kept = np.arange(use.size) != site
        shared = np.einsum("s,scd,sd->cd", share[kept], precision[kept], residuals.spread[use[kept]])
        noise = _CLASS_CORRELATION * shared @ residuals.correlation @ shared.T
        information = np.einsum("s,scd->cd", share[kept] ** 2, precision[kept])
        found.append(_of_pattern(score[kept].sum(0), information, noise, pattern.usual))
    return Hypothesis(surface.name, OUTSIDE, min(found), sites=int(use.size))


def _of_pattern(score: np.ndarray, information: np.ndarray, noise: np.ndarray, usual: np.ndarray) -> float:
    known = information.diagonal() > 1e-6 * information.diagonal().max()
    square = np.ix_(known, known)
    score, information, usual = score[known], information[square], usual[square]
    noise = noise[square] + information + 1e-9 * np.diag(information.diagonal())
    without, response = _log_normal(score, noise), information @ usual @ information
    return _mean([_log_normal(score, noise + k**2 * response) - without for k in _SCALES])


def posterior(changes: Sequence[Hypothesis], patterns: Sequence[Hypothesis], temper: float = 1.0) -> list[Hypothesis]:
    """Return all hypotheses with their probabilities, the likeliest first, with that of nothing wrong.

    ``temper`` below one divides the logarithm of the evidence, for templates that are less certain than assumed.
    """
    nothing = Hypothesis("", NOTHING, 0.0)
    prior = [(1.0 - PRIOR_NOTHING - PRIOR_OUTSIDE) / max(len(changes), 1)] * len(changes)
    prior += [PRIOR_OUTSIDE / max(len(patterns), 1)] * len(patterns) + [PRIOR_NOTHING]
    every = [*changes, *patterns, nothing]
    logarithm = np.log(prior) + _TEMPER * np.array([h.log_evidence for h in every])
    probability = np.exp(logarithm - logarithm.max())
    probability /= probability.sum()
    found = [Hypothesis(**{**h.__dict__, "probability": float(p)}) for h, p in zip(every, probability, strict=True)]
    return sorted(found, key=lambda h: (-h.probability, -h.log_evidence))


def alike(residuals: Residuals, first: np.ndarray, second: np.ndarray) -> float:
    """Return the cosine of two responses (site, cell) as the residuals see them, from -1 to 1."""
    a, b = (np.where(residuals.missing, 0.0, x) for x in (first, second))
    inner = [np.einsum("sc,scd,sd->", x, residuals.precision, y, optimize=True) for x, y in ((a, b), (a, a), (b, b))]
    return float(inner[0] / np.sqrt(max(inner[1] * inner[2], 1e-30)))


def shapley_shares(residuals: Residuals, responses: Mapping[str, np.ndarray]) -> dict[str, float]:
    r"""Return how what responses explain together divides among them: exact Shapley values, which sum to one.

    The worth of a set of responses R is the fall of :math:`r^T P r` when their amplitudes are fitted to the residuals
    r with precision P. A share is the mean worth that a response adds, over all orders of adding them (Lindeman et al.
    1980). Responses that are alike divide what one of them alone would explain: a share is not a probability.

    ``responses`` are (site, cell) by name; all shares are zero where nothing is explained.
    """
    seen = np.stack([np.where(residuals.missing, 0.0, residuals.as_seen(r)) for r in responses.values()])
    weighted = np.einsum("nsc,scd->nsd", seen, residuals.precision)
    information = np.einsum("nsd,msd->nm", weighted, seen)
    score, number = np.einsum("nsd,sd->n", weighted, residuals.values), len(seen)
    worth = np.zeros(2**number)
    for subset in range(1, 2**number):
        own = [k for k in range(number) if subset >> k & 1]
        worth[subset] = score[own] @ np.linalg.pinv(information[np.ix_(own, own)], hermitian=True) @ score[own]
    shares = np.zeros(number)
    for subset in range(2**number):
        size = subset.bit_count()
        for k in (k for k in range(number) if not subset >> k & 1):
            orders = 1.0 / (number * comb(number - 1, size))
            shares[k] += orders * (worth[subset | 1 << k] - worth[subset])
    total = worth[-1] if worth[-1] > 0.0 else 1.0
    return dict(zip(responses, (shares / total).tolist(), strict=True))


def differences(residuals: Residuals, response: np.ndarray, amplitude: float) -> tuple[float, float]:
    """Return the difference of observation and model at the sites of a response, before and after its change.

    It is the root of the mean of :math:`r^T P r` over cells with values, for residuals r and their precision P: one is
    what the errors of instruments and emulator explain. ``response`` (site, cell) is zero elsewhere.
    """
    use = np.abs(response).sum(1) > 0.0
    number = max(int((~residuals.missing[use]).sum()), 1)
    change = amplitude * np.where(residuals.missing, 0.0, residuals.as_seen(response))
    both = [r[use] for r in (residuals.values, residuals.values - change)]
    before, after = (np.einsum("sc,scd,sd->", r, residuals.precision[use], r, optimize=True) / number for r in both)
    return float(np.sqrt(before)), float(np.sqrt(after))
