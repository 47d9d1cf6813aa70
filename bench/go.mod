module github.com/seed-6c01d079/notify/bench

go 1.26.0

replace github.com/seed-6c01d079/notify => ..
