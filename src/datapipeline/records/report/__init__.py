"""`report.html`: what a data set holds, on one page that needs nothing else.

In: the manifest, the table of images, and the raw images for thumbnails. Out: HTML in UTF-8, the same bytes
for the same data. What stands on it is bounded, however many images and classes there are.
"""

from datapipeline.records.report.page import REPORT, render

__all__ = ["REPORT", "render"]
