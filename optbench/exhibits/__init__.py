"""The numbers behind figures that compare over problems, for whatever draws them.

A profile ranks each row against the best of the rows that are shown, so it is computed for them
alone: one row more or less may turn the others around (Gould & Scott, 2016).
"""

from optbench.exhibits.curves import DRAWS as DRAWS
from optbench.exhibits.curves import Curves as Curves
from optbench.exhibits.curves import data_profile_data as data_profile_data
from optbench.exhibits.curves import ecdf_data as ecdf_data
from optbench.exhibits.curves import pairwise_profile_data as pairwise_profile_data
from optbench.exhibits.curves import profile_data as profile_data
from optbench.exhibits.curves import restarts_rng as restarts_rng
from optbench.exhibits.field import Field as Field
from optbench.exhibits.field import field_of as field_of
from optbench.exhibits.field import median_costs as median_costs
from optbench.exhibits.field import optimizers_of as optimizers_of
from optbench.exhibits.field import select as select
from optbench.exhibits.grids import KINDS as KINDS
from optbench.exhibits.grids import Endings as Endings
from optbench.exhibits.grids import Heatmap as Heatmap
from optbench.exhibits.grids import failures_data as failures_data
from optbench.exhibits.grids import heatmap_data as heatmap_data
