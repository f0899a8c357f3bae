"""What a reply says when its request asked what it is worth, and the longer wait of one that asked for more."""
from flashq._core.buffer cimport WriteBuffer, buffer_done, buffer_room
from flashq._core.bytes cimport load_be32, store_be32
from flashq._core.json_write cimport NUMBER_ROOM, literal_put, u64_put
from flashq._core.msgpack_tokens cimport put_byte, put_key, put_uint
from flashq._core.peers cimport peer_replied_synced
from flashq._core.request cimport JSON, has
from flashq._core.state cimport DURABLE_LATER, DURABLE_NOT
from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    FRAME_HEAD = 4              # big-endian length of what follows
    MAP_TWO = 0x82
    RECEIPT_ROOM = 64           # all but the number


cdef void replied_specially(Core* core, Peer* peer, const Request* request, size_t at,
                            uint64_t position) noexcept nogil:
    cdef uint64_t durability = core.durability
    if has(&request.item, BIT_DURABILITY) and request.durability > durability:
        durability = request.durability
    if has(&request.item, BIT_RECEIPT) and request.receipt:
        if peer.format == JSON:
            receipt_json(&peer.out, durability, position)
        else:
            receipt_msgpack(&peer.out, at, durability, position)
    if durability > core.durability:
        peer_replied_synced(core, peer, position)
    else:
        peer_replied(core, peer, position)


cdef inline const char* word(uint64_t durability) noexcept nogil:
    if durability == DURABLE_NOT:
        return "memory"
    return "interval" if durability == DURABLE_LATER else "commit"


cdef void receipt_json(WriteBuffer* out, uint64_t durability, uint64_t position) noexcept nogil:
    """In place of the brace and the line end that close the last reply."""
    cdef uint8_t* p = buffer_room(out, RECEIPT_ROOM + NUMBER_ROOM)
    if p == NULL:
        return
    p = literal_put(p - 2, b',"receipt":{"durability":"')
    p = literal_put(literal_put(p, word(durability)), b'","position":')
    buffer_done(out, literal_put(u64_put(p, position), b'}}\n'))


cdef void receipt_msgpack(WriteBuffer* out, size_t at, uint64_t durability, uint64_t position) noexcept nogil:
    """Behind the last key of the frame that begins at `at`: a map of less than 15, as all those replies are."""
    cdef uint8_t* p = buffer_room(out, RECEIPT_ROOM + NUMBER_ROOM)
    cdef uint8_t* frame = out.data + at
    cdef const uint8_t* end = p
    if p == NULL:
        return
    p = put_byte(put_key(p, "receipt"), MAP_TWO)
    p = put_key(put_key(p, "durability"), word(durability))
    buffer_done(out, put_uint(put_key(p, "position"), position))
    store_be32(frame, load_be32(frame) + <uint32_t>(out.data + out.size - end))
    frame[FRAME_HEAD] += 1
