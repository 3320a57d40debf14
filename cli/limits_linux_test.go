package cli

import "golang.org/x/sys/unix"

func printLimits(c *call) error {
	for _, l := range []struct {
		name string
		id   int
	}{{"core", unix.RLIMIT_CORE}, {"cpu", unix.RLIMIT_CPU}, {"data", unix.RLIMIT_DATA}} {
		var r unix.Rlimit
		if err := unix.Getrlimit(l.id, &r); err != nil {
			return err
		}
		c.Print("%s %d", l.name, int64(r.Cur))
	}
	return nil
}
