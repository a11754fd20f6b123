"""FOLDER -> REPORT.HTML: a run, an evaluation, or a demo, known by its marks, becomes one page.

    pages          which parts a folder's page has, in which order; `write_report` is the door
    reading        what lies in a folder: JSON, CSV, poses, pictures; damaged or missing is empty
    words          numbers and values as people read them
    understood     part: what was given to a training (source.json, masks, motion)
    curves         part: the log of a training (metrics.jsonl)
    strips         part: what the training saw (samples/)
    depth_tables   part: depth against the truth (table.json), and the verdicts on top
    images         part: errors image by image (images.csv, error maps)
    paths          part: the camera's path against the truth
    provenance     part: how it was made, and what the numbers do not say

Whatever is missing is left out, so that a run that was stopped has a report too. The page tells only what the
folder holds: the same folder gives the same page. What a page looks like is in `visualize.report`.
"""

from kinedepth.reporting.pages import report_of as report_of
from kinedepth.reporting.pages import write_report as write_report
