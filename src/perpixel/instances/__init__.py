"""Instances: the numbered objects of a mask. Audit, evaluation and prediction all take them from here.

An instance is a set of pixels of one class that are connected by their sides (four neighbours; pixels that touch only
at a corner are apart). Two methods find them:

connected    the connected components of each class
watershed    these, cut apart at their necks; see `perpixel.instances.separation`
"""

from perpixel.instances.labelling import METHODS, Instances, class_layers, find_instances, label, label_layers

__all__ = ["METHODS", "Instances", "class_layers", "find_instances", "label", "label_layers"]
