"""Past one process: the journal in Kafka, edges that put inputs there, engines that own its partitions.

edge (`desk.py`) -> topic of the journal -> engine (`member.py`, `owner.py`): lanes and pipelines as ever
       ^                                              |
       +----------- topic of the answers <------------+
"""
