"""Sentences about scenes and faces: they name what can be seen, never what is hidden or absent."""

import numpy as np

from .field import uniform
from .landscape import SCENES, TIMES, WEATHERS
from .portrait import BACKGROUNDS, EXPRESSIONS, HAIR, HAIR_COLOURS
from .render import Factors, Rendered
from .things import KINDS, LEGEND

REFERENCE = 128  # the size at which it is decided what can be seen
FEWEST = 4  # pixels of it

_PLACES = {
    "meadow": ("a meadow", "a green meadow"), "forest": ("a forest", "the woods"), "village": ("a village", "a hamlet"),
    "road": ("a country road", "a road through the fields"), "city": ("a city", "a city street"),
    "mountains": ("mountains", "a mountain landscape"), "lake": ("a lake", "the shore of a lake"),
    "desert": ("a desert", "a sandy desert"), "seaside": ("the seaside", "a beach by the sea"),
    "farm": ("a flower farm", "fields of flowers"),
}  # fmt: skip
_TIMES = {
    "dawn": ("at dawn", "early in the morning"), "day": ("by day", "in daylight"),
    "dusk": ("at dusk", "in the evening"), "night": ("at night", "in the dark"),
}  # fmt: skip
_WEATHERS = {
    "clear": ("in clear weather", "under a clear sky"), "cloudy": ("in cloudy weather", "under a cloudy sky"),
    "rain": ("in the rain", "on a rainy day"), "snow": ("in falling snow", "while it snows"),
    "fog": ("in the fog", "in misty weather"),
}  # fmt: skip
_RAINY_NIGHT = "while it rains"
_NUMBERS = ("no", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PLURALS = {"bush": "bushes", "cactus": "cacti", "house": "houses"}
_COLOURED = ("oak", "house", "poplar")


def scene_captions(factors: Factors, seen: Rendered) -> list[list[str]]:
    """Five sentences about each picture: of its factors, and of its truth rendered at REFERENCE pixels."""
    assert seen.instance is not None and seen.semantic is not None
    n, slots = factors["kind"].shape
    pixels = np.stack([np.bincount(a.ravel(), minlength=slots + 1)[1 : slots + 1] for a in seen.instance])
    visible = (pixels >= FEWEST) & (factors["kind"] >= 0)
    choice = (uniform(factors["index"], "words", 8) * 2).astype(np.int64)
    found = []
    for i in range(n):
        pick = choice[i].tolist()
        scene, time, weather = (
            names[int(factors[key][i])] for names, key in ((SCENES, "scene"), (TIMES, "time"), (WEATHERS, "weather"))
        )
        things = _things(factors["kind"][i][visible[i]], factors["colour"][i][visible[i]])
        lights = [name for name in ("sun", "moon") if (seen.semantic[i] == LEGEND.index(name)).sum() >= FEWEST]
        found.append(_sentences(pick, scene, time, weather, things, lights))
    return found


def _things(kinds: np.ndarray, colours: np.ndarray) -> list[str]:
    """Phrases such as "two houses" and "a red car", one for each kind, in the order of KINDS."""
    phrases = []
    for k in np.unique(kinds).tolist():
        name, shown = KINDS[k].name, {KINDS[k].colours[c] for c in colours[kinds == k].tolist()}
        count = int((kinds == k).sum())
        noun = name if count == 1 else _PLURALS.get(name, name + "s")
        if len(shown) == 1 and (name == "car" or (name in _COLOURED and shown != {"green"})):
            noun = f"{shown.pop()} {noun}"
        phrases.append(_with_article(noun) if count == 1 else f"{_NUMBERS[count]} {noun}")
    return phrases


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _listed(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _sentences(pick: list[int], scene: str, time: str, weather: str, things: list[str], lights: list[str]) -> list[str]:
    place, when = _PLACES[scene], _TIMES[time]
    how = list(_WEATHERS[weather])
    if weather == "rain" and time != "day":
        how[1] = _RAINY_NIGHT
    a, b, c, d, e, f, *_ = pick
    what = _listed(things) if things else ""
    short = f"{place[a]} {when[b]} {how[c]}"
    if not things:
        full = [short, f"{how[d]}, {place[1 - a]} {when[e]}", f"a picture of {place[f]} {when[1 - b]}"]
    else:
        full = [
            f"{short}, with {what}",
            f"{what} {when[d]} in a picture of {place[e]}, {how[f]}",
            f"{place[1 - a]} {how[1 - c]}; {when[1 - b]}, with {what}",
        ]
    light = f"the {lights[0]} above {place[d]} {how[e]}" if lights else f"{place[d]} {how[e]}"
    return [*full, short, light + (f", {when[f]}" if not lights else "")]


_EXPRESSIONS = {
    "neutral": ("with a calm face", "looking calm"), "smiling": ("who smiles", "smiling"),
    "laughing": ("who laughs", "laughing"), "surprised": ("who is surprised", "looking surprised"),
    "sad": ("who is sad", "looking sad"),
}  # fmt: skip


def face_captions(factors: Factors) -> list[list[str]]:
    """Five sentences about each face, of its factors."""
    choice = (uniform(factors["index"], "words", 4) * 2).astype(np.int64)
    return [
        _portrait({name: factors[name][i] for name in _NAMED}, choice[i].tolist()) for i in range(len(factors["index"]))
    ]


_NAMED = ("age", "expression", "hair", "hair_colour", "glasses", "beard", "background", "yaw")


def _portrait(f: dict[str, np.ndarray], pick: list[int]) -> list[str]:
    age = float(f["age"])
    who = "a child" if age < 0.2 else "an old person" if age > 0.72 else ("a person", "someone")[pick[0]]
    doing, mood = _EXPRESSIONS[EXPRESSIONS[int(f["expression"])]]
    hair = _hair(f)
    worn = [hair]
    if f["beard"] and age > 0.25:
        worn.append(("", "a moustache", "a beard")[int(f["beard"])])
    if f["glasses"]:
        worn.append(("", "round glasses", "square glasses", "sunglasses")[int(f["glasses"])])
    wall = f"a {tuple(BACKGROUNDS)[int(f['background'])]} wall"
    turned = "" if abs(float(f["yaw"])) < 12 else f", turned to the {'right' if f['yaw'] > 0 else 'left'}"
    look = _listed(worn)
    return [
        f"{who} {doing}, with {look}",
        f"a portrait of {who} with {look}, {mood}, before {wall}",
        f"{who} {mood}{turned}",
        f"{who} with {look}{turned}",
        f"{('a portrait', 'the face')[pick[1]]} of {who} {doing}, before {wall}",
    ]


def _hair(f: dict[str, np.ndarray]) -> str:
    style = HAIR[int(f["hair"])]
    colour = "grey" if f["age"] > 0.8 else tuple(HAIR_COLOURS)[int(f["hair_colour"])]
    if style == "bald":
        return "a bald head"
    if 0.55 < f["age"] <= 0.8:
        colour = "greying"
    return (
        f"{colour} hair in a bun"
        if style == "bun"
        else f"{_with_article(colour)} bob"
        if style == "bob"
        else f"{style} {colour} hair"
    )
