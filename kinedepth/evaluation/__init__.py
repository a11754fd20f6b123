"""PREDICTOR OR FILES + TRUTH -> TABLE. What may change a number is data: a protocol, printed with each.

Three doors: `judging.judged` (a run), `external.judged_predictions` (depth made elsewhere) and the
`judge_files` of `paths` (trajectories) and `disparity`. Behind them, in the order of the data:

    depth of pictures
    protocol        what is compared and how; all published protocols
    sources         what lies in a folder to judge by; truth_only, make3d: truth of other layouts
    names           which prediction belongs to which truth; published lists
    archive, depth_files        arrays and files of depth, read strictly
    predictions     what another program or `kinedepth predict` wrote, as a guess
    truth           measured depth of a moment, and masks of what it shows
    judge           guesses (a model, a constant, flat ground) over all images -> tables
    depth           metrics as pure functions, and what happens to one image before them
    baselines       rows that need no learning
    benchmark       pairs of prediction and truth -> rows
    table           rows -> means, bootstrap intervals
    error_maps      picture, prediction, truth, relative error side by side
    depth_printing, findings    the tables for people; the folder that is left
    question        what was asked, and all of the above in order: what both doors of depth share

    paths of cameras
    pose_files      KITTI, TUM and EuRoC files -> trajectories
    matching        which predicted pose belongs to which true one
    odometry        poses, steps, the 5-frame error
    trajectory      alignment, ATE, RPE; drift: errors over segments of 100 m to 800 m
    path_protocol, path_table   every alignment of a path side by side
    path_printing, path_drawing, path_findings      for people, as pictures, as a folder
    paths           files against files, all of the above in order
    tracks          a predictor's own path on measured sequences

    pixel_errors, disparity     disparity and flow as KITTI 2015 counts them; files against files

    console, output what every evaluation shares: how it prints, what its folder holds
"""
