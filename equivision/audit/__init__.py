"""Judge any network: how does it behave when its input turns?

``audit(model, images, group="C4")`` returns an :class:`AuditReport`, which prints as a table and writes itself as JSON
or as one self-contained page; :func:`write_html` puts several reports on one page.
"""

from equivision.audit._audit import audit as audit
from equivision.audit._html import write_html as write_html
from equivision.audit._picture import Picture as Picture
from equivision.audit._report import AngleResult as AngleResult
from equivision.audit._report import AuditReport as AuditReport
from equivision.audit._report import ElementResult as ElementResult
from equivision.audit._report import Gallery as Gallery
from equivision.audit._report import LayerPictures as LayerPictures
from equivision.audit._report import LayerResult as LayerResult
from equivision.audit._report import MaskPictures as MaskPictures
from equivision.audit._report import MaskResult as MaskResult
from equivision.audit._report import TrainingCurve as TrainingCurve
from equivision.audit._report import WorstInput as WorstInput
