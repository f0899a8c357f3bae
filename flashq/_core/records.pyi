from flashq._core.recordforms import decode as decode
