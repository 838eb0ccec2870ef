package main

// What newer releases than Go 1.19 have in slices and errors.

import (
	"errors"
	"strings"
)

func latest(one, other int64) int64 {
	if one > other {
		return one
	}
	return other
}

// joined is one error for all that are not nil; which code it has, the first of them says that has one.
func joined(all ...error) error {
	var some errorList
	for _, err := range all {
		if err != nil {
			some = append(some, err)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some
}

type errorList []error

func (l errorList) Error() string {
	var texts []string
	for _, err := range l {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "\n")
}

func (l errorList) As(target any) bool {
	for _, err := range l {
		if errors.As(err, target) {
			return true
		}
	}
	return false
}

func reverse(bytes []byte) {
	for low, high := 0, len(bytes)-1; low < high; low, high = low+1, high-1 {
		bytes[low], bytes[high] = bytes[high], bytes[low]
	}
}

func holds[T comparable](all []T, wanted T) bool {
	for _, each := range all {
		if each == wanted {
			return true
		}
	}
	return false
}

func largest(numbers []int) int {
	most := numbers[0]
	for _, number := range numbers {
		if number > most {
			most = number
		}
	}
	return most
}
