"""The log of a run → an alarm for reward hacking or none. Begin with `pipeline`; `result` says how often such alarms are right."""
