package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// systemCopy gives how many bytes of a range of from the kernel has written to the place where to stands. The rest is left to
// the caller, when these two files cannot be copied so.
func systemCopy(to, from *os.File, offset, n int64) (done int64, err error) {
	const most = 64 << 20 // of one call, which no signal interrupts
	for done < n {
		at := offset + done
		k, err := unix.CopyFileRange(int(from.Fd()), &at, int(to.Fd()), nil, int(min(n-done, most)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case isFull(err) || errors.Is(err, unix.EFBIG) || errors.Is(err, unix.EIO):
			return done, err
		case err != nil || k == 0:
			return done, nil
		}
		done += int64(k)
	}
	return done, nil
}
