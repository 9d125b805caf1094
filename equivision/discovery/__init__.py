"""Which symmetry does some data have? Small networks for each candidate are trained, compared and ranked.

``discover(data)`` returns a :class:`Discovery`, which prints as a table and writes itself as JSON or as a page.
"""

from equivision.discovery._candidates import PLANE as PLANE
from equivision.discovery._candidates import Candidate as Candidate
from equivision.discovery._candidates import ChannelSymmetry as ChannelSymmetry
from equivision.discovery._candidates import LearnedSymmetry as LearnedSymmetry
from equivision.discovery._candidates import PlaneSymmetry as PlaneSymmetry
from equivision.discovery._candidates import ScaleSymmetry as ScaleSymmetry
from equivision.discovery._candidates import candidate as candidate
from equivision.discovery._discover import discover as discover
from equivision.discovery._result import Discovery as Discovery
from equivision.discovery._result import LearnedScore as LearnedScore
from equivision.discovery._score import CandidateScore as CandidateScore
from equivision.discovery._score import Interval as Interval
from equivision.discovery._score import Stability as Stability
from equivision.discovery._study import Trial as Trial
