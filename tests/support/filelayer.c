/* A layer between a process and its files, loaded by LD_PRELOAD: it traces what happens under one directory, in order,
 * and fails, cuts, holds or ends in calls as a control block says. filelayer.py builds it, and knows both formats.
 *
 * FILELAYER_ROOT     the directory, as a real path; without it nothing happens
 * FILELAYER_TRACE    the trace is appended here, one write a record, so that other processes may add marks of their own
 * FILELAYER_CONTROL  the control block, a shared file
 *
 * Every call does its work by a system call of its own and is traced under one mutex, so that the trace has the order
 * in which things happened. A sync alone is two records, and works outside the mutex: what is written meanwhile is not
 * in it.
 */
#include "filelayer.h"

#define EXPORT __attribute__((visibility("default")))

/* --- calls on descriptors -------------------------------------------------------------------------------------- */

static int64_t system_write(int fd, const void *data, size_t size, int64_t offset) {
    return system_result(offset < 0 ? syscall(SYS_write, fd, data, size)
                                    : syscall(SYS_pwrite64, fd, data, size, offset));
}

static int64_t write_traced(int fd, const void *data, size_t size, int64_t offset) {
    char name[PATH_MAX];
    int64_t at = offset, result;
    size_t fits, wanted = size;
    int flags = fcntl(fd, F_GETFL);
    const struct Rule *rule;
    name_of(fd, name);
    pthread_mutex_lock(&mutex);
    rule = rule_for(WRITE, name);
    if (flags & O_APPEND) {        /* Linux appends then, whatever place is given */
        struct stat about;
        at = fstat(fd, &about) == 0 ? about.st_size : 0;
    } else if (offset < 0) {
        at = lseek(fd, 0, SEEK_CUR);
    }
    fits = space_for(fd, (uint64_t)at, size);
    if (rule->action == SHORT || rule->action == TORN)
        wanted = (size + (rule->action == SHORT)) / 2;
    if (rule->action == SHORT && (flags & O_DIRECT))    /* the system takes whole blocks then */
        wanted = (wanted + BLOCK - 1) / BLOCK * BLOCK;
    if (rule->action == FAIL || (fits == 0 && size > 0)) {
        result = rule->action == FAIL ? -rule->error : -ENOSPC;
    } else {
        wanted = wanted < fits ? wanted : fits;
        if ((flags & O_DIRECT) && wanted % BLOCK)       /* torn by the layer: the system would refuse it */
            fcntl(fd, F_SETFL, flags & ~O_DIRECT);
        result = system_write(fd, data, wanted, offset);
        if (flags & O_DIRECT)
            fcntl(fd, F_SETFL, flags);
    }
    record(WRITE, fd, result, at, (int64_t)size, "", "", data, result > 0 ? (size_t)result : 0);
    if (rule->action == TORN && result >= 0)
        result = -rule->error;
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    if (rule->action == SLOW)
        usleep((useconds_t)rule->error);
    return result;
}

static ssize_t write_vector(int fd, const struct iovec *parts, int count, int64_t offset) {
    size_t size = 0, at = 0;
    int64_t result;
    char *data;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    if (posix_memalign((void **)&data, BLOCK, size + 1) != 0)
        die("memory");
    for (int i = 0; i < count; at += parts[i++].iov_len)
        memcpy(data + at, parts[i].iov_base, parts[i].iov_len);
    result = write_traced(fd, data, size, offset);
    free(data);
    return answer(result);
}

EXPORT ssize_t write(int fd, const void *data, size_t size) {
    return is_tracked(fd) ? answer(write_traced(fd, data, size, -1)) : syscall(SYS_write, fd, data, size);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    if (is_tracked(fd))
        return answer(write_traced(fd, data, size, offset));
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
    return is_tracked(fd) ? write_vector(fd, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return is_tracked(fd) ? write_vector(fd, parts, count, offset) : syscall(SYS_pwritev, fd, parts, count, offset, 0L);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    if (is_tracked(fd) && flags == 0)
        return write_vector(fd, parts, count, offset);
    if (is_tracked(fd))
        die("pwritev2 with flags is not traced");
    return syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags);
}

static int sync_with(long call, int fd) {
    char name[PATH_MAX];
    int64_t result = 0;
    const struct Rule *rule;
    if (!is_tracked(fd))
        return (int)syscall(call, fd);
    name_of(fd, name);
    pthread_mutex_lock(&mutex);
    rule = rule_for(SYNC, name);
    record(SYNC, fd, 0, 0, 0, "", "", "", 0);
    pthread_mutex_unlock(&mutex);
    if (__atomic_load_n(&control->hold_syncs, __ATOMIC_ACQUIRE)) {
        __atomic_add_fetch(&control->held, 1, __ATOMIC_ACQ_REL);
        while (__atomic_load_n(&control->hold_syncs, __ATOMIC_ACQUIRE))
            usleep(200);
        __atomic_sub_fetch(&control->held, 1, __ATOMIC_ACQ_REL);
    }
    if (rule->action == SLOW)
        usleep((useconds_t)rule->error);
    if (rule->action == FAIL)
        result = -rule->error;
    else if (!control->skip_syncs)
        result = system_result(syscall(call, fd));
    pthread_mutex_lock(&mutex);
    record(SYNC_END, fd, result, 0, 0, "", "", "", 0);
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    return (int)answer(result);
}

EXPORT int fsync(int fd) {
    return sync_with(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd) {
    return sync_with(SYS_fdatasync, fd);
}

static int64_t allocate(int fd, int mode, off_t offset, off_t size) {
    char name[PATH_MAX];
    int64_t result;
    const struct Rule *rule;
    if (!is_tracked(fd))
        return system_result(syscall(SYS_fallocate, fd, mode, offset, size));
    if (mode & ~FALLOC_FL_KEEP_SIZE)
        die("fallocate with such a mode is not traced");
    name_of(fd, name);
    pthread_mutex_lock(&mutex);
    rule = rule_for(ALLOCATE, name);
    if (rule->action == FAIL)
        result = -rule->error;
    else if (size > 0 && space_for(fd, (uint64_t)offset, (size_t)size) < (size_t)size)
        result = -ENOSPC;
    else
        result = system_result(syscall(SYS_fallocate, fd, mode, offset, size));
    record(ALLOCATE, fd, result, mode & FALLOC_FL_KEEP_SIZE ? 0 : offset + size, 0, "", "", "", 0);
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    return result;
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t size) {
    return (int)answer(allocate(fd, mode, offset, size));
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t size) {
    return (int)-allocate(fd, 0, offset, size);
}

EXPORT int ftruncate(int fd, off_t size) {
    char name[PATH_MAX];
    int64_t result;
    const struct Rule *rule;
    if (!is_tracked(fd))
        return (int)syscall(SYS_ftruncate, fd, size);
    name_of(fd, name);
    pthread_mutex_lock(&mutex);
    rule = rule_for(TRUNCATE, name);
    result = rule->action == FAIL ? -rule->error : system_result(syscall(SYS_ftruncate, fd, size));
    record(TRUNCATE, fd, result, size, 0, "", "", "", 0);
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    return (int)answer(result);
}

EXPORT int close(int fd) {
    int result;
    if (!is_tracked(fd))
        return (int)syscall(SYS_close, fd);
    pthread_mutex_lock(&mutex);
    tracked[fd] = 0;
    result = (int)syscall(SYS_close, fd);
    record(CLOSE, fd, 0, 0, 0, "", "", "", 0);
    pthread_mutex_unlock(&mutex);
    return result;
}

/* --- calls on names -------------------------------------------------------------------------------------------- */

static int64_t open_traced(int dir, const char *path, int flags, mode_t mode) {
    char name[PATH_MAX];
    struct stat about;
    int64_t result;
    int was_there;
    const struct Rule *rule;
    if (!lies_under(dir, path, name))
        return system_result(syscall(SYS_openat, dir, path, flags, mode));
    if ((flags & O_TMPFILE) == O_TMPFILE || (flags & O_DSYNC))
        die("open with such flags is not traced");
    pthread_mutex_lock(&mutex);
    rule = rule_for(OPEN, name);
    was_there = fstatat(dir, path, &about, 0) == 0;
    result = rule->action == FAIL ? -rule->error : system_result(syscall(SYS_openat, dir, path, flags, mode));
    if (result >= TRACKED_FDS)
        die("too many open files for the trace");
    if (result >= 0)
        tracked[result] = 1;
    record(OPEN, (int)result, result, flags & (O_CREAT | O_TRUNC | O_ACCMODE), was_there, name, "", "", 0);
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    return result;
}

/* The mode is there only when a file may be made. */
#define OPEN_MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, last); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

EXPORT int open(const char *path, int flags, ...) {
    OPEN_MODE(flags, flags)
    return (int)answer(open_traced(AT_FDCWD, path, flags, mode));
}

EXPORT int openat(int dir, const char *path, int flags, ...) {
    OPEN_MODE(flags, flags)
    return (int)answer(open_traced(dir, path, flags, mode));
}

EXPORT int creat(const char *path, mode_t mode) {
    return (int)answer(open_traced(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode));
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char old[PATH_MAX], new[PATH_MAX];
    int64_t result;
    const struct Rule *rule;
    int is_old = lies_under(from_dir, from, old), is_new = lies_under(to_dir, to, new);
    if (!is_old && !is_new)
        return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (!is_old || !is_new || (flags & ~RENAME_NOREPLACE))
        die("a rename into or out of the root, or an exchange, is not traced");
    pthread_mutex_lock(&mutex);
    rule = rule_for(RENAME, new);
    result = rule->action == FAIL ? -rule->error
                                  : system_result(syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
    record(RENAME, -1, result, 0, 0, old, new, "", 0);
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    return (int)answer(result);
}

EXPORT int rename(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    return renameat2(from_dir, from, to_dir, to, 0);
}

EXPORT int unlinkat(int dir, const char *path, int flags) {
    char name[PATH_MAX];
    int64_t result;
    const struct Rule *rule;
    if (!lies_under(dir, path, name))
        return (int)syscall(SYS_unlinkat, dir, path, flags);
    pthread_mutex_lock(&mutex);
    rule = rule_for(UNLINK, name);
    result = rule->action == FAIL ? -rule->error : system_result(syscall(SYS_unlinkat, dir, path, flags));
    record(UNLINK, -1, result, 0, 0, name, "", "", 0);
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    return (int)answer(result);
}

EXPORT int unlink(const char *path) {
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path) {
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int mkdirat(int dir, const char *path, mode_t mode) {
    char name[PATH_MAX];
    int64_t result;
    const struct Rule *rule;
    if (!lies_under(dir, path, name))
        return (int)syscall(SYS_mkdirat, dir, path, mode);
    pthread_mutex_lock(&mutex);
    rule = rule_for(MKDIR, name);
    result = rule->action == FAIL ? -rule->error : system_result(syscall(SYS_mkdirat, dir, path, mode));
    record(MKDIR, -1, result, 0, 0, name, "", "", 0);
    result = come_to(rule, result);
    pthread_mutex_unlock(&mutex);
    return (int)answer(result);
}

EXPORT int mkdir(const char *path, mode_t mode) {
    return mkdirat(AT_FDCWD, path, mode);
}

/* --- what is not traced must not happen under the root ---------------------------------------------------------- */

EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    char name[PATH_MAX];
    if (lies_under(to_dir, to, name))
        die("a link is not traced");
    return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

EXPORT int link(const char *from, const char *to) {
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (is_tracked(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE))
        die("a file mapped for writing is not traced");
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

EXPORT ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t size, unsigned flags) {
    if (is_tracked(to))
        die("copy_file_range is not traced");
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, size, flags);
}

EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
    if (is_tracked(to))
        die("sendfile is not traced");
    return syscall(SYS_sendfile, to, from, offset, size);
}

#define ALIAS(name) __attribute__((visibility("default"), alias(#name)))
int open64(const char *path, int flags, ...) ALIAS(open);
int openat64(int dir, const char *path, int flags, ...) ALIAS(openat);
int creat64(const char *path, mode_t mode) ALIAS(creat);
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) ALIAS(pwrite);
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) ALIAS(pwritev);
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) ALIAS(pwritev2);
int fallocate64(int fd, int mode, off64_t offset, off64_t size) ALIAS(fallocate);
int posix_fallocate64(int fd, off64_t offset, off64_t size) ALIAS(posix_fallocate);
int ftruncate64(int fd, off64_t size) ALIAS(ftruncate);
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) ALIAS(sendfile);
void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset) ALIAS(mmap);
