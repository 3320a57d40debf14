//go:build !unix

package limits

// nonBlocking is nothing where a path does not lead to a named pipe.
const nonBlocking = 0
