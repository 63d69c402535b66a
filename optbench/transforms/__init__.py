"""What makes one problem of another; each composes with any problem it is defined for.

>>> from problems.classical.valleys import rosenbrock
>>> noisy(rotated(rosenbrock(dim=3)), scale=0.1).name
'noisy(rotated(rosenbrock))[scale=0.1]'
"""

from optbench.transforms.coordinates import permuted as permuted
from optbench.transforms.coordinates import rotated as rotated
from optbench.transforms.coordinates import shifted as shifted
from optbench.transforms.coordinates import stretched as stretched
from optbench.transforms.failures import sometimes_nan as sometimes_nan
from optbench.transforms.minibatches import minibatches as minibatches
from optbench.transforms.noise import heavy_tailed as heavy_tailed
from optbench.transforms.noise import noisy as noisy
from optbench.transforms.noise import sparse_noise as sparse_noise
from optbench.transforms.rounding import quantized as quantized
from optbench.transforms.values import scaled as scaled
