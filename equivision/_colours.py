"""Colours that most colour-blind people tell apart, and that are bright enough on photographs."""

#: Okabe and Ito, Color universal design, 2008; and white.
COLOURS = ("#F0E442", "#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#D55E00", "#0072B2", "#FFFFFF")
