from enum import IntEnum

class Work(IntEnum):
    ECHO = 0
    FIXED = 1
    PUSH = 2
    PUSHB = 3
    PULL = 4
    PULL_ACK = 5
    PULLB_ACKB = 6
    BY_ID = 7
    GET_BY_ID = 8
    DELIVER = 9
